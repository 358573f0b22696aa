//! The input of `sts-verify verify` in which formats are mixed, or that has what belongs to no format: no key of it is
//! lost without a message.

use crate::verify_formats::{formats, reports, session};
use crate::verify_program::{line, sandbox, users, verify};

/// Files in different formats, put together into one.
#[tokio::test]
async fn no_key_of_a_file_in_several_formats_is_lost_without_a_message() {
    let sandbox = sandbox([users(1).remove(0), session()]).await;
    let every: Vec<_> = formats().into_iter().chain(reports()).collect();
    let (user, session) = (&users(1)[0].access_key_id, session().access_key_id);
    for (first, _, one, _) in &every {
        for (second, _, other, _) in &every {
            let other = other.replace(user, "AKIAOTHERUSEREXAMPLE").replace(&session, "ASIAOTHERSESSIONXMPL");
            let run = verify(&["--offline"], sandbox.url(), format!("{one}{other}").as_bytes()).await;
            // Both files have two keys.
            let told = run.rows().len() + run.refusals().len();
            assert!(told >= 4, "{first} and {second}: {run:?}");
        }
    }
}

#[tokio::test]
async fn a_key_in_a_line_that_is_not_in_the_format_is_reported() {
    let sandbox = sandbox([]).await;
    let (id, secret) = (&users(1)[0].access_key_id, &users(1)[0].secret_access_key);
    let json = format!("{{\"AccessKeyId\": \"{id}\", \"SecretAccessKey\": \"{secret}\"}}");
    let csv = format!("Access key ID,Secret access key\n{id},{secret}\n");
    let pretty = json.replace('{', "{\n").replace(", ", ",\n");
    let stray = |line: u32| vec![format!("sts-verify: -:{line}: {STRAY}")];
    let blank = "\n".repeat(70_000);
    for (arguments, input, refusals) in [
        (&["--format", "ini"][..], &json, stray(1)),
        (&["--format", "ini"], &csv, stray(2)),
        (&["--format", "env"], &json, stray(1)),
        (&["--format", "env"], &csv, stray(2)),
        (&["--format", "env"], &pretty, stray(2)),
        (&[], &format!("OTHER_AWS_ACCESS_KEY_ID={id}\nOTHER_AWS_SECRET_ACCESS_KEY={secret}\n"), stray(1)),
        (&[], &format!("[a]\naws_access_key_id =\n  {id}\naws_secret_access_key =\n  {secret}\n"), stray(3)),
        (&[], &format!("{blank}{pretty}"), stray(70_002)),
        (&[], &format!("a,Access key ID,Secret access key\nAWS_ACCESS_KEY_ID={id}\n"), stray(2)),
        // Comments are no entries, and an access key may be repeated.
        (&[], &format!("[a]\n# {id}\nregion = eu-west-1 ; {id}\n"), vec![]),
        (&["--format", "env"], &format!("# {id}\nA=b # {id}\n"), vec![]),
    ] {
        let run = verify(&[&["--offline"], arguments].concat(), sandbox.url(), input.as_bytes()).await;
        assert_eq!(
            (run.refusals(), run.stdout.as_str()),
            (refusals.iter().map(String::as_str).collect(), ""),
            "{run:?}"
        );
    }
    let input = format!("AWS_ACCESS_KEY_ID={id}\nAWS_SECRET_ACCESS_KEY={secret}\nTF_VAR_access_key={id}\n");
    let run = verify(&["--offline"], sandbox.url(), input.as_bytes()).await;
    assert_eq!((run.code, run.rows().len()), (Some(0), 1), "{run:?}");
}

const STRAY: &str = "This line has an access key ID, and is not in the format of the file.";

#[tokio::test]
async fn marks_and_control_characters_before_a_line_do_not_hide_it() {
    let sandbox = sandbox([]).await;
    let every = formats().into_iter().chain(reports());
    for (format, _, content, sources) in every {
        for mark in ["\u{feff}", "\u{feff}\u{feff}", "\u{1e}"] {
            // Such text cannot have other control characters, or two marks, as JSON can.
            if ["ini", "env", "csv"].contains(&format) && mark != "\u{feff}" {
                continue;
            }
            let input = format!("{mark}{content}{mark}{content}");
            let run = verify(&["--offline"], sandbox.url(), input.as_bytes()).await;
            assert_eq!(
                (run.code, run.rows().len()),
                (Some(0), 2 * sources.len()),
                "{format} {mark:?}: {run:?}"
            );
        }
    }
}

#[tokio::test]
async fn an_array_may_begin_with_a_value_that_is_not_an_object() {
    let sandbox = sandbox(users(1)).await;
    let run =
        verify(&[], sandbox.url(), format!("[null, {}, 3]\n", line(&users(1)[0]).trim()).as_bytes()).await;
    assert_eq!((run.code, run.verdicts().len(), run.refusals().len()), (Some(65), 1, 1), "{run:?}");
}
