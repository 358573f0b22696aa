//! Starts the program, reads its output, sends it signals, and ends it afterwards.

use crate::helpers::{header, someone, value_in};
use reqwest::{RequestBuilder, Response};
use serde_json::Value;
use std::io::{BufRead as _, BufReader, Read};
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::timeout;

/// The time after which a test gives up. Only failing tests wait for this long.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// The lines of one output, as they arrive. The channel is closed with the output.
pub type Lines = watch::Receiver<Vec<String>>;

/// A running program. It is killed on drop.
pub struct Program {
    child: Child,
    stdout: Lines,
    stderr: Lines,
}

/// The exit status of a program, and all its output.
#[derive(Debug)]
pub struct End {
    /// Its exit code, or `None` if a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it, if any.
    pub signal: Option<i32>,
    pub stdout: Vec<String>,
    pub stderr: Vec<String>,
}

/// The program with these arguments, and with only these variables and PATH.
pub fn command(arguments: &[&str], variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sts-verify"));
    command.args(arguments).env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
    command.envs(variables.iter().copied());
    command
}

/// Runs the program until it exits; it must not listen.
pub async fn run(arguments: &[&str], variables: &[(&str, &str)]) -> End {
    Program::start(&mut command(arguments, variables)).refusal().await
}

impl Program {
    pub fn start(command: &mut Command) -> Self {
        let piped = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().expect("the program can be run");
        let stdout = lines_of(child.stdout.take().unwrap());
        let stderr = lines_of(child.stderr.take().unwrap());
        Self { child, stdout, stderr }
    }

    /// Waits for the first line on stdout that is `wanted`.
    pub async fn line(&self, wanted: impl Fn(&str) -> bool) -> String {
        self.lines(1, wanted).await.remove(0)
    }

    /// Waits for this many lines on stdout that are `wanted`.
    pub async fn lines(&self, count: usize, wanted: impl Fn(&str) -> bool) -> Vec<String> {
        let found =
            |lines: &[String]| -> Vec<String> { lines.iter().filter(|line| wanted(line)).cloned().collect() };
        let mut stdout = self.stdout.clone();
        let come = timeout(PATIENCE, stdout.wait_for(|lines| found(lines).len() >= count)).await;
        let come = come.is_ok_and(|open| open.is_ok());
        assert!(come, "no such line; stdout: {:#?}, stderr: {:#?}", self.written(), *self.stderr.borrow());
        found(&self.stdout.borrow())
    }

    /// Waits for the line of a JSON log with this message.
    pub async fn message(&self, message: &str) -> Value {
        json(&self.line(|line| json(line)["message"] == message).await)
    }

    /// The lines on stdout so far.
    pub fn written(&self) -> Vec<String> {
        self.stdout.borrow().clone()
    }

    /// The id of the process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal, such as `TERM`. The shell's built-in `kill` exists on every machine.
    pub fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    /// Waits for the end of a program that must not listen.
    pub async fn refusal(self) -> End {
        let listening = |lines: &Vec<String>| lines.iter().any(|line| line.contains("listening"));
        let mut stdout = self.stdout.clone();
        let closed = timeout(PATIENCE, stdout.wait_for(listening)).await.is_ok_and(|found| found.is_err());
        assert!(closed, "it went on: {:#?}", self.written());
        self.end().await
    }

    /// Waits for the end of the program.
    pub async fn end(mut self) -> End {
        for output in [&mut self.stdout, &mut self.stderr] {
            let closed = async { while output.changed().await.is_ok() {} };
            let ended = timeout(PATIENCE, closed).await.is_ok();
            assert!(ended, "the program did not end; it wrote: {:#?}", *output.borrow());
        }
        let status = self.child.wait().unwrap();
        let (code, signal) = (status.code(), status.signal());
        End { code, signal, stdout: self.stdout.borrow().clone(), stderr: self.stderr.borrow().clone() }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have exited already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads the lines of an output from now on.
pub fn lines_of(output: impl Read + Send + 'static) -> Lines {
    let (sender, lines) = watch::channel(Vec::new());
    std::thread::spawn(move || {
        for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
            sender.send_modify(|lines| lines.push(String::from_utf8_lossy(&line).into_owned()));
        }
    });
    lines
}

/// A line of a JSON log, or null for any other line.
pub fn json(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_default()
}

/// A running service.
pub struct Service {
    pub program: Program,
    pub address: SocketAddr,
    pub client: reqwest::Client,
}

impl Service {
    /// A service with these variables, and with defaults that make it reachable and fast.
    pub async fn start(variables: &[(&str, &str)]) -> Self {
        Self::with_arguments(&[], variables).await
    }

    pub async fn with_arguments(arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let usual = [
            ("STS_VERIFY_LISTEN", "127.0.0.1:0"),
            ("STS_VERIFY_LOG_FORMAT", "json"),
            ("STS_VERIFY_RETRY_BACKOFF", "1ms"),
        ];
        Self::of(Program::start(command(arguments, &usual).envs(variables.iter().copied()))).await
    }

    /// A program that is about to listen.
    pub async fn of(program: Program) -> Self {
        let line = program.line(|line| address_of(line, "listening").is_some()).await;
        let address = address_of(&line, "listening").unwrap();
        // The proxies of the machine are not used.
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { program, address, client }
    }

    /// A service that uses the STS at this URL.
    pub async fn asking(sts_url: &str, variables: &[(&str, &str)]) -> Self {
        let endpoint = [("AWS_ENDPOINT_URL_STS", sts_url)];
        Self::start(&[&endpoint, variables].concat()).await
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn request(&self, body: &Value) -> RequestBuilder {
        self.client.post(self.url("/verify")).json(body)
    }

    pub async fn verify(&self, body: &Value) -> Response {
        self.request(body).send().await.unwrap()
    }

    /// Posts well-formed credentials that belong to no account.
    pub async fn verify_someone(&self) -> Response {
        self.verify(&someone()).await
    }

    pub async fn get(&self, path: &str) -> Response {
        self.client.get(self.url(path)).send().await.unwrap()
    }

    /// Tells the service to stop, and waits until it has.
    pub async fn stop(self) -> End {
        self.program.signal("INT");
        self.program.end().await
    }
}

/// The address in the line with this message, in either format of the log.
pub fn address_of(line: &str, message: &str) -> Option<SocketAddr> {
    let json = json(line);
    let text = match json["address"].as_str() {
        Some(address) if json["message"] == message => address,
        _ => line.split_once(&format!(" INFO {message} address="))?.1.split(' ').next()?,
    };
    text.parse().ok()
}

/// The value of a metric at the /metrics of any listener.
pub async fn metric_at(url: &str, series: &str) -> Option<f64> {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    value_in(&client.get(url).send().await.unwrap().text().await.unwrap(), series)
}

/// The ID by which a request can be found.
pub fn request_id(response: &Response) -> String {
    header(response, "x-request-id").expect("every answer has a request id").to_owned()
}

/// A directory that is removed on drop.
pub struct Scratch(PathBuf);

impl Scratch {
    /// `name` must be unique among the tests.
    pub fn new(name: &str) -> Self {
        let path =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("process-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// Writes a file, and returns its path.
    pub fn file(&self, name: &str, content: &str) -> String {
        let path = self.0.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path.to_str().expect("the path is UTF-8").to_owned()
    }

    /// The path of a name in it.
    pub fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("the path is UTF-8").to_owned()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A file that is left over does no harm.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
