//! Reads the XML of an answer as botocore does (`BaseXMLResponseParser` and `QueryParser` in
//! `botocore/parsers.py`, the same in 1.43 and 1.44).
//!
//! botocore turns an element into a dictionary: local names are the keys, and several elements with one name
//! become a list. Where botocore needs a dictionary, it takes the first of a list. Anything else that it cannot
//! use raises a Python exception.

use memchr::{memchr_iter, memchr3, memmem};
use roxmltree::{Document, Node, PI, ParsingOptions};

/// The maximum number of tags and of attributes in a document. An answer of STS has some 20 tags and one
/// attribute. roxmltree needs 80 bytes for a tag, and its search for duplicate attributes takes quadratic time.
const MAX_TAGS: usize = 1_000;

/// botocore fails on this document, and makes no further attempt, whatever the status.
pub(super) struct Unreadable;

/// The value that botocore has for a name in its dictionary of an element.
pub(super) enum Value<'a, 'input> {
    /// The text of an element without child elements; `None` for an empty one.
    Text(Option<String>),
    /// The dictionary of an element, or of the first of several.
    Members(Node<'a, 'input>),
}

/// The `Error` of a document.
pub(super) struct ErrorElement {
    pub code: String,
    /// `None` for an empty one.
    pub message: Option<String>,
    /// Whether there is a message element. The Lambda function failed without one, but botocore looks at the
    /// code first.
    pub has_message: bool,
    pub request_id: Option<String>,
    /// Whether the `Error` is directly below the root `ErrorResponse`, where STS puts it.
    pub is_of_sts: bool,
}

/// The members of the result.
pub(super) struct CallerElement {
    pub user_id: String,
    pub account: String,
    pub arn: String,
    /// Empty for an empty element.
    pub request_id: Option<String>,
}

/// Parses an XML document strictly: a document that is cut off, or has anything after its end, is an error.
///
/// A document type is accepted only without declarations: a few nested entities can expand beyond all memory,
/// and roxmltree does not check other declarations.
pub(super) fn parse(body: &[u8]) -> Result<Document<'_>, Unreadable> {
    let text = std::str::from_utf8(body).map_err(|_| Unreadable)?;
    let count = |wanted: u8| memchr_iter(wanted, body).count();
    if count(b'<') > MAX_TAGS || count(b'=') > MAX_TAGS {
        return Err(Unreadable);
    }
    // Without these there are no declarations, no processing instructions, and no namespaces but that of STS.
    let is_plain = memchr3(b'!', b'?', b'}', body).is_none() && memmem::find(body, b"xmlns:").is_none();
    let allow_dtd = !is_plain && memmem::find(body, b"<!ENTITY").is_none() && !has_declarations(body);
    let options = ParsingOptions { allow_dtd, ..ParsingOptions::default() };
    let document = Document::parse_with_options(text, options).map_err(|_| Unreadable)?;
    if is_plain || !expat_rejects(&document) { Ok(document) } else { Err(Unreadable) }
}

/// Whether the document type contains declarations.
fn has_declarations(body: &[u8]) -> bool {
    let doctype = memmem::find(body, b"<!DOCTYPE").map_or(&[][..], |start| &body[start..]);
    doctype.iter().take_while(|byte| **byte != b'>').any(|byte| *byte == b'[')
}

/// What Python's parser rejects and roxmltree accepts: an XML declaration with unexpected characters, a
/// namespace with a brace in its name, a prefix without a namespace, and a processing instruction whose name is
/// invalid or is that of the XML declaration.
fn expat_rejects(document: &Document) -> bool {
    let text = document.input_text();
    let is_odd = |byte: u8| !(byte.is_ascii_alphanumeric() || b" \t\r\n<?='\".-_".contains(&byte));
    let declaration = text.trim_start_matches('\u{feff}').strip_prefix("<?xml");
    declaration.is_some_and(|rest| rest.bytes().take_while(|byte| *byte != b'>').any(is_odd))
        || document.descendants().any(|node| {
            node.pi()
                .is_some_and(|instruction| !is_instruction(&document.input_text()[node.range()], instruction))
                || node.namespaces().any(|namespace| {
                    namespace.uri().contains('}')
                        || (namespace.name().is_some() && namespace.uri().is_empty())
                })
        })
}

/// Whether a processing instruction has a valid name with white space after it.
fn is_instruction(text: &str, instruction: PI) -> bool {
    let name = instruction.target;
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte) || !byte.is_ascii();
    name.bytes().all(is_part)
        && !name.starts_with(|first: char| "-.0123456789".contains(first))
        && !name.eq_ignore_ascii_case("xml")
        && text["<?".len() + name.len()..].starts_with(['?', ' ', '\t', '\r', '\n'])
}

/// The identity in a document. botocore leaves out members that are missing; here all three are required.
pub(super) fn caller(root: Node) -> Option<CallerElement> {
    let result = first(root, "GetCallerIdentityResult")?;
    let member = |name| text_of(only(result, name)?);
    let metadata = first(root, "ResponseMetadata");
    if metadata.is_some_and(has_doubles) {
        return None;
    }
    Some(CallerElement {
        user_id: member("UserId")?,
        account: member("Account")?,
        arn: member("Arn")?,
        request_id: metadata
            .and_then(|metadata| first(metadata, "RequestId"))
            .map(|id| text_of(id).unwrap_or_default()),
    })
}

/// The error in a document. `Ok(None)` if botocore finds none, or one without a code.
pub(super) fn error(root: Node) -> Result<Option<ErrorElement>, Unreadable> {
    // The members of `Errors` replace those beside it.
    let errors = match value(root, "Errors") {
        Some(Value::Members(errors)) => Some(errors),
        Some(Value::Text(_)) => return Err(Unreadable),
        None => None,
    };
    let nested = |name| value(errors?, name);
    let top = |name| nested(name).or_else(|| value(root, name));
    let request_id = top("RequestId");
    if request_id.is_none() && matches!(top("ResponseMetadata"), Some(Value::Text(_))) {
        return Err(Unreadable);
    }
    let error = match top("Error") {
        Some(Value::Members(error)) => error,
        Some(Value::Text(_)) => return Err(Unreadable),
        None => return Ok(None),
    };
    let code = match value(error, "Code") {
        Some(Value::Members(_)) => return Err(Unreadable),
        Some(Value::Text(Some(code))) => code,
        Some(Value::Text(None)) | None => return Ok(None),
    };
    let message = value(error, "Message");
    let has_message = matches!(message, Some(Value::Text(_)));
    Ok(Some(ErrorElement {
        code,
        message: message.and_then(Value::into_text),
        has_message,
        request_id: request_id.or_else(|| top("RequestID")).and_then(Value::into_text),
        is_of_sts: tag(root) == Some("ErrorResponse") && error.parent() == Some(root),
    }))
}

impl Value<'_, '_> {
    fn into_text(self) -> Option<String> {
        match self {
            Self::Text(text) => text,
            Self::Members(_) => None,
        }
    }
}

/// The value that botocore has for a name below an element.
fn value<'a, 'input>(parent: Node<'a, 'input>, name: &str) -> Option<Value<'a, 'input>> {
    let first = first(parent, name)?;
    let is_dictionary = only(parent, name).is_none() || first.first_element_child().is_some();
    Some(if is_dictionary { Value::Members(first) } else { Value::Text(text_of(first)) })
}

/// An element's name without its namespace. botocore's regular expression for a namespace stops at a line
/// break.
fn tag<'input>(node: Node<'_, 'input>) -> Option<&'input str> {
    let name = node.is_element().then(|| node.tag_name())?;
    (!name.namespace().is_some_and(|namespace| namespace.contains('\n'))).then(|| name.name())
}

fn first<'a, 'input>(parent: Node<'a, 'input>, name: &str) -> Option<Node<'a, 'input>> {
    parent.children().find(|child| tag(*child) == Some(name))
}

fn only<'a, 'input>(parent: Node<'a, 'input>, name: &str) -> Option<Node<'a, 'input>> {
    let mut named = parent.children().filter(|child| tag(*child) == Some(name));
    named.next().filter(|_| named.next().is_none())
}

/// Whether two child elements have the same name.
fn has_doubles(parent: Node) -> bool {
    parent.children().filter_map(tag).any(|name| only(parent, name).is_none())
}

/// The text before the first child element, across comments, as in ElementTree. `None` for an empty element.
fn text_of(node: Node) -> Option<String> {
    let before_elements = node.children().take_while(|child| !child.is_element());
    let text: String = before_elements.filter(Node::is_text).filter_map(|child| child.text()).collect();
    (!text.is_empty()).then_some(text)
}
