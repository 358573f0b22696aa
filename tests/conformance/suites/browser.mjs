// Headless Chromium: Swagger UI at /docs/, as a person would use it (fill in, execute, read the answer), directly and behind
// nginx, which puts a prefix before the service's paths; a page of another origin that calls the service; and a page that has
// its own name resolved to the service's address.
//
// No request may go to another host or outside of the prefix, no content security policy may be violated, and the
// console has to stay empty.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const { chromium } = createRequire(`${process.env.NODE_MODULES}/`)("playwright-core");

// Without these, Chromium asks for updates in the background, which is no traffic of the page's.
const FLAGS = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
  // The host name of a page that resolves to this machine.
  "--host-resolver-rules=MAP rebound.example 127.0.0.1",
];
const SCREENSHOT = process.env.SCREENSHOT;

let passed = 0;
let failed = 0;

async function check(name, test) {
  try {
    await test();
    passed += 1;
  } catch (error) {
    failed += 1;
    console.log(`FAILED browser: ${name}\n    ${error.stack.split("\n").slice(0, 12).join("\n    ")}`);
  }
}

// Starts the service with its sandbox; resolves to the process, its URL and the table of callers that it prints.
async function start(settings = {}) {
  const clean = Object.entries(process.env).filter(([name]) => !/^(AWS|STS_VERIFY)_|_proxy$/i.test(name));
  const own = { STS_VERIFY_LOG_FORMAT: "json", STS_VERIFY_STOP_DELAY: "0s", ...settings };
  const environment = { ...Object.fromEntries(clean), ...own };
  const service = spawn(process.env.STS_VERIFY_BIN, ["serve", "--sandbox", "--listen", "127.0.0.1:0"], {
    env: environment, stdio: ["ignore", "pipe", "inherit"],
  });
  const table = [];
  const lines = createInterface({ input: service.stdout });
  const address = await new Promise((resolve, reject) => {
    lines.on("close", () => reject(new Error("the service did not start")));
    lines.on("line", (line) => {
      table.push(line);
      const event = line.startsWith("{") ? JSON.parse(line) : {};
      if (event.message === "listening") resolve(event.address);
    });
  });
  return { service, url: `http://${address}`, table };
}

// A port that was free a moment ago: nginx cannot tell which one it got.
async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

// nginx with the service at /sts/ and something else everywhere else; resolves to the process and its URL once it answers.
async function startProxy(upstream) {
  const folder = mkdtempSync(join(tmpdir(), "sts-verify-nginx-"));
  const port = await freePort();
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((what) => `${what}_temp_path ${folder}/${what};`);
  writeFileSync(join(folder, "nginx.conf"), `
    daemon off; master_process off; pid ${folder}/pid; error_log stderr;
    events {}
    http {
      access_log off; ${temporary.join(" ")}
      server {
        listen 127.0.0.1:${port};
        location /sts/ { proxy_pass ${upstream}/; }
        location / { default_type text/html; return 200 "another service"; }
      }
    }`);
  const proxy = spawn(process.env.NGINX, ["-p", folder, "-e", "stderr", "-c", join(folder, "nginx.conf")], { stdio: "inherit" });
  const url = `http://127.0.0.1:${port}`;
  while (!(await fetch(url).catch(() => undefined))) {
    if (proxy.exitCode !== null) throw new Error(`nginx ended with ${proxy.exitCode}`);
    await new Promise(setImmediate);
  }
  return { proxy, url, folder };
}

// The access key of the row that is described so.
function keyOf(table, words) {
  const row = table.find((line) => line.includes(words));
  assert.ok(row, `the table has no row for: ${words}`);
  return row.split(/\s+/)[0];
}

// Everything that the page must not do.
function watch(page, url) {
  const seen = { console: [], strangers: [], policy: [] };
  page.on("console", (message) => {
    // Chromium notes every answer of 400 and above; the one that is asked for here is meant.
    const meant = message.location().url === `${url}/verify` && /status of 400/.test(message.text());
    if (["error", "warning"].includes(message.type()) && !meant) seen.console.push(message.text());
  });
  page.on("pageerror", (error) => seen.console.push(String(error)));
  page.on("request", (request) => {
    const target = request.url();
    if (!target.startsWith(`${url}/`) && !/^(data|blob|about):/.test(target)) seen.strangers.push(target);
  });
  return seen;
}

// Chooses an example of the request, executes it, and returns what Swagger UI shows as the answer.
async function execute(page, operation, key) {
  await operation.locator(".examples-select select").first().selectOption(key);
  const body = operation.locator("textarea.body-param__text");
  await page.waitForFunction(([area, text]) => area.value.includes(text), [await body.elementHandle(), key]);
  const answered = page.waitForResponse((response) => response.request().method() === "POST");
  await operation.locator("button.execute").click();
  const response = await answered;
  const shown = operation.locator("table.live-responses-table tbody td.response-col_status").first();
  await shown.filter({ hasText: String(response.status()) }).waitFor();
  const text = await operation.locator("table.live-responses-table tbody .highlight-code code").first().innerText();
  return { status: response.status(), shown: await shown.innerText(), text, asked: response.url() };
}

async function browse(page, url, table) {
  await page.goto(`${url}/docs`);
  const operation = page.locator("#operations-verify-verify");
  await operation.locator(".opblock-summary-control, .opblock-summary").first().click();
  await operation.locator(".opblock-body").waitFor();
  const tryOut = operation.locator("button.try-out__btn");
  if (/try it out/i.test(await tryOut.innerText())) await tryOut.click();
  await operation.locator("textarea.body-param__text").waitFor();

  await check("an IAM user: 200", async () => {
    const { status, shown, text, asked } = await execute(page, operation, keyOf(table, "an IAM user, with a path"));
    assert.equal(status, 200);
    assert.equal(asked, `${url}/verify`);
    assert.match(shown, /^200/);
    assert.match(text, /"aws_res"[^]*"Arn": "arn:aws:iam::\d{12}:user\//);
  });
  await check("an expired session: 400 ExpiredToken", async () => {
    const { status, shown, text } = await execute(page, operation, keyOf(table, "ExpiredToken: "));
    assert.equal(status, 400);
    assert.match(shown, /^400/);
    assert.match(text, /"error_code": "ExpiredToken"/);
  });
  await operation.evaluate((element) => element.scrollIntoView());
  await page.screenshot({ path: SCREENSHOT });
}

async function documents(context, url, table) {
  const page = await context.newPage();
  const seen = watch(page, url);
  await page.addInitScript(() => {
    window.violations = [];
    document.addEventListener("securitypolicyviolation", (event) =>
      window.violations.push(`${event.violatedDirective}: ${event.blockedURI} at ${event.sourceFile}`));
  });
  await browse(page, url, table);
  seen.policy = await page.evaluate(() => window.violations);
  await check("no error or warning in the console", () => assert.deepEqual(seen.console, []));
  await check("no violation of the content policy", () => assert.deepEqual(seen.policy, []));
  await check("no request to another host, or outside of the prefix", () => assert.deepEqual(seen.strangers, []));
  await page.close();
}

// Headers of the AWS SDK and of tracers, and one unknown header.
const SENT = {
  "authorization": "AWS4-HMAC-SHA256 x", "content-type": "application/json", "x-request-id": "from-a-page",
  "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "tracestate": "a=b", "baggage": "a=b",
  "b3": "0", "x-datadog-trace-id": "1", "sentry-trace": "1", "x-amzn-trace-id": "Root=1",
  "x-amz-date": "20260113T000348Z", "x-amz-security-token": "x", "x-amz-content-sha256": "x", "x-amz-user-agent": "x",
  "amz-sdk-invocation-id": "x", "amz-sdk-request": "attempt=1", "x-amz-invocation-type": "RequestResponse",
  "x-amz-log-type": "Tail", "x-amz-client-context": "x", "x-nobody-has-heard-of": "x",
};

// A page of another origin calls the service and reads what the SDK would.
async function fromAnotherOrigin(context, origin, url, table) {
  const page = await context.newPage();
  await page.goto(origin);
  const body = JSON.stringify({ stsAccessKey: keyOf(table, "an IAM user, with a path"), stsSecretKey: "not the secret" });
  const call = (path) => page.evaluate(async ([target, headers, text]) => {
    const response = await fetch(target, { method: "POST", headers, body: text });
    return { status: response.status, headers: Object.fromEntries(response.headers) };
  }, [`${url}${path}`, SENT, body]);
  await check("a page of another origin may send any header to /verify", async () => {
    const { status, headers } = await call("/verify");
    assert.equal(status, 400);
    assert.equal(headers["x-request-id"], "from-a-page");
  });
  await check("a page of another origin reads what Lambda's clients read", async () => {
    const { status, headers } = await call("/2015-03-31/functions/verify/invocations");
    assert.deepEqual([status, headers["x-amzn-requestid"], headers["x-amz-executed-version"]], [200, "from-a-page", "$LATEST"]);
    assert.match(atob(headers["x-amz-log-result"]), /from-a-page/);
  });
  await page.close();
}

// For the browser, a page whose name resolves to the service has the service's origin, so CORS does not apply.
async function rebound(context) {
  const { service, url } = await start({ STS_VERIFY_ALLOWED_HOSTS: "127.0.0.1", STS_VERIFY_CORS_ORIGINS: "https://a.example" });
  const page = await context.newPage();
  const [{ port }, path] = [new URL(url), "/openapi.json"];
  try {
    await check("a name that is not allowed is refused, whatever it resolves to", async () => {
      assert.equal((await page.goto(`http://rebound.example:${port}${path}`)).status(), 421);
      assert.equal((await page.goto(`${url}${path}`)).status(), 200);
    });
  } finally {
    await page.close();
    service.kill("SIGTERM");
  }
}

async function run({ url, table }) {
  const profile = mkdtempSync(join(tmpdir(), "sts-verify-browser-"));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM, args: FLAGS, headless: true, viewport: { width: 1280, height: 1500 },
  });
  const { proxy, url: front, folder } = await startProxy(url);
  try {
    await documents(context, `${front}/sts`, table);
    await documents(context, url, table);
    await fromAnotherOrigin(context, front, url, table);
    await rebound(context);
  } finally {
    await context.close();
    proxy.kill("SIGTERM");
    for (const left of [profile, folder]) rmSync(left, { recursive: true, force: true });
  }
}

const started = await start();
try {
  await check("the pages can be used", () => run(started));
} finally {
  started.service.kill("SIGTERM");
}
const ended = failed ? `${failed} failed` : "all good";
console.log(`browser: ${passed + failed} cases, ${ended}; screenshot in ${SCREENSHOT}`);
if (process.env.SUITE_RESULT) writeFileSync(process.env.SUITE_RESULT, `${passed} ${failed}\n`);
process.exitCode = failed ? 1 : 0;
