//! CSV files: headers, delimiters, and broken records.

use super::*;

#[test]
fn a_csv_file_may_name_its_delimiter_in_its_first_line() {
    for (first, delimiter) in [("sep=;", ';'), ("sep=,", ','), ("SEP=|\r", '|'), ("sep=\t", '\t')] {
        let csv = format!(
            "{first}\nAccess key ID{delimiter}Secret access key\n{ID}{delimiter}{SECRET}\n{OTHER}{delimiter}{SECRET}\n"
        );
        let expected = [entry(3), entry(4).replace(ID, OTHER)];
        assert_eq!(auto(&csv), expected, "{first:?}");
        assert_eq!(all(Format::Csv, csv.as_bytes()), expected, "{first:?}");
    }
    assert_eq!(
        all(Format::Csv, b"sep=;;\na;b\n"),
        ["1: There is no CSV header with an access key and a secret key."]
    );
}

#[test]
fn a_csv_file_is_read_by_its_header() {
    for (header, row) in [
        ("Access key ID,Secret access key", format!("{ID},{SECRET}")),
        ("\"User name\",\"Access key ID\",\"Secret access key\"", format!("\"a, b\",{ID},\"{SECRET}\"")),
        (
            "User Name,Password,Access key ID,Secret access key,Console login link",
            format!("ann,,{ID},{SECRET},https://x"),
        ),
        ("aws_secret_access_key;aws_access_key_id", format!("{SECRET};{ID}")),
        ("AccessKeyId\tSecretAccessKey\tSessionToken", format!("{ID}\t{SECRET}\t")),
        ("Notes,Access key ID,Secret access key", format!("\"two\nlines\",{ID},{SECRET}")),
    ] {
        assert_eq!(auto(&format!("{header}\r\n{row}\r\n")), [entry(2)], "{header}");
        assert_eq!(auto(&format!("{header}\n\n{row}\n{header}\n{row}")).len(), 2, "{header}");
    }
    let region =
        format!("Access key ID,Secret access key,Region,Session token\n{OTHER},{SECRET},eu-west-3,{TOKEN}\n");
    assert_eq!(auto(&region), [format!("2 {OTHER} {SECRET} {TOKEN} Hints([\"eu-west-3\"])")]);
}

#[test]
fn a_broken_record_costs_no_other() {
    let input = format!(
        "User name,Access key ID,Secret access key\nann,,\nbob,{ID}\n\"joe,{ID},{SECRET}\n\"eve\",{ID},{SECRET}\n\
         {ID},\"{SECRET}\n\n,{ID},{SECRET}\n"
    );
    assert_eq!(
        auto(&input),
        [
            "3: stsSecretKey is missing or empty.".to_owned(),
            "4: A quote is not closed.".to_owned(),
            entry(5),
            "6: A quote is not closed.".to_owned(),
            entry(8),
        ]
    );
    assert_eq!(
        all(Format::Csv, b"a,b\nc,d\n"),
        ["1: There is no CSV header with an access key and a secret key."]
    );
}
