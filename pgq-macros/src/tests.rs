//! What `#[task]` makes of an item: its errors, and what is left of it.

use proc_macro2::TokenStream;
use syn::{File, FnArg, Item};

use crate::errors::Errors;
use crate::expand;
use crate::model::{Payload, Task};
use crate::options::Options;
use crate::parse::Function;

fn tokens(text: &str) -> TokenStream {
    text.parse().expect("tokens")
}

fn read(item: &str) -> (Option<Task>, Vec<String>) {
    let mut errors = Errors::default();
    let function = errors.take(Function::of(&tokens(item)));
    let task = function.map(|function| Task::read(Options::default(), function, &mut errors));
    (task, errors.messages())
}

fn errors(item: &str) -> Vec<String> {
    read(item).1
}

fn payload(item: &str) -> Payload {
    let (task, errors) = read(item);
    assert_eq!(errors, [""; 0], "{item}");
    task.expect("a task").payload
}

fn expanded(attr: &str, item: &str) -> Vec<Item> {
    syn::parse2::<File>(expand::task(tokens(attr), &tokens(item))).expect("items").items
}

#[test]
fn each_mistake_in_a_signature_is_one_error() {
    for (item, message) in [
        ("async fn f(&self) -> R {}", "a task is a free function: what `self` gives comes as `Context<R>` instead"),
        ("const fn f() -> R {}", "a task can't be a `const fn`: write `async fn` or `fn`"),
        ("extern \"C\" fn f() -> R {}", "a task can't have a foreign ABI: write `async fn` or `fn`"),
        ("async fn f() -> R where u8: Copy {}", "a task can't have a where clause: it isn't generic"),
        ("async fn f<'a>() -> R {}", "a task can't have a lifetime: it owns its arguments"),
        ("async fn f((a, b): (u8, u8)) -> R {}", "expected a name, got a pattern: take the value apart in the body"),
        ("async fn f(_: u8) -> R {}", "expected a name, got `_`: it is the name of the payload's field"),
        ("async fn f(a: u8, c: Context) -> R {}", "the context is the first parameter: move it there"),
        ("async fn f(c: Context, d: Context<A>) -> R {}", "a task has one context: take this one away"),
        ("async fn f(c: Context<'_>) -> R {}", "expected `pgq::Context` or `pgq::Context<Resources>`"),
        ("async fn f(c: &Context<A>) -> R {}", "the context is taken by value: write `Context<A>`"),
        ("async fn f(t: &mut pgq::Tx) -> R {}", "the attempt's transaction is shared: write `&pgq::Tx`"),
        ("async fn f(t: &Tx, u: &Tx) -> R {}", "an attempt has one transaction: take this one away"),
        ("async fn f(a: u8, t: &Tx) -> R {}", "the attempt's transaction comes before the arguments: move it there"),
        ("fn f(t: &Tx) -> R {}", "a blocking task can't take the attempt's transaction: write `async fn`"),
        ("async fn f() {}", "expected a task that returns a `Result`: write `-> Result<(), pgq::BoxError>`"),
        ("async fn f() -> Result<impl A, E> {}", "expected a type with a name, got `impl`"),
        ("async fn f() -> usize {}", "expected a task that returns a `Result`: write `Result<usize, pgq::BoxError>`"),
        ("async fn f() -> () {}", "expected a task that returns a `Result`: write `Result<(), pgq::BoxError>`"),
        (
            "async fn f() -> Result<&'static str, E> {}",
            "expected a type that owns what it holds: the task's result is stored",
        ),
        ("#[task] async fn f() -> R {}", "the function is a task already: keep one of the two attributes"),
        ("#[pgq::task] async fn f() -> R {}", "the function is a task already: keep one of the two attributes"),
    ] {
        assert_eq!(errors(item), [message], "{item}");
    }
}

#[test]
fn a_borrowed_argument_is_told_what_to_own() {
    let owned = |ty: &str| errors(&format!("async fn f(a: {ty}) -> R {{}}")).concat();
    assert!(owned("&str").ends_with("write `String`"));
    assert!(owned("&'static str").ends_with("write `String`"));
    assert!(owned("&mut [u8]").ends_with("write `Vec<u8>`"));
    assert!(owned("&my::User").ends_with("write `my::User`"));
    for ty in ["Vec<&str>", "Cow<'_, str>", "Option<(u8, &u8)>"] {
        assert!(owned(ty).starts_with("expected a type that owns what it holds"), "{ty}");
    }
    assert_eq!(owned("Cow<'static, str>"), "");
}

#[test]
fn several_mistakes_are_as_many_errors() {
    assert_eq!(errors("async unsafe fn f<T>(a: &str, _: u8) {}").len(), 5);
}

#[test]
fn what_is_not_a_function_is_called_by_its_name() {
    for (item, what) in [
        ("pub struct S;", "a struct"),
        ("enum E {}", "an enum"),
        ("impl S {}", "an impl"),
        ("mod m {}", "a module"),
        ("trait T {}", "a trait"),
        ("const C: u8 = 1;", "a constant"),
    ] {
        assert_eq!(errors(item), [format!("expected `async fn` or `fn`, got {what}: a task is a function")]);
    }
    assert_eq!(errors("fn f() -> R;"), ["expected a function with a body: a task can't be declared in a trait"]);
}

#[test]
fn attributes_for_fields_need_a_field() {
    for item in [
        "fn f(#[serde(default)] a: u8) -> R {}",
        "fn f(#[serde(default)] c: Context, a: u8, b: u8) -> R {}",
        "#[serde(rename_all = \"camelCase\")] fn f(a: u8) -> R {}",
        "fn f(#[cfg(test)] a: u8) -> R {}",
    ] {
        assert_eq!(errors(item).len(), 1, "{item}");
    }
    assert_eq!(errors("fn f(#[serde(default)] a: u8, #[cfg(test)] b: u8) -> R {}"), [""; 0]);
}

#[test]
fn a_name_that_jobs_cannot_have_is_refused() {
    assert!(errors("fn größe() -> R {}").concat().ends_with("give the task one with `name = \"…\"`"));
    assert_eq!(errors("fn r#type() -> R {}"), [""; 0]);
}

#[test]
fn the_payload_is_nothing_a_type_or_a_struct() {
    assert!(matches!(payload("fn f() -> R {}"), Payload::Nothing));
    assert!(matches!(payload("fn f(_: pgq::Context<App>) -> R {}"), Payload::Nothing));
    assert!(matches!(payload("fn f(c: Context, a: u8) -> R {}"), Payload::One(_)));
    assert!(matches!(payload("fn f(a: u8, mut b: u8) -> R {}"), Payload::Many { fields, .. } if fields.len() == 2));
}

#[test]
fn the_struct_is_called_after_the_function() {
    for (function, expected) in [
        ("charge", "ChargeArgs"),
        ("sync_inventory_2", "SyncInventory2Args"),
        ("__odd__name_", "OddNameArgs"),
        ("r#type", "TypeArgs"),
    ] {
        let payload = payload(&format!("fn {function}(a: u8, b: u8) -> R {{}}"));
        assert!(matches!(payload, Payload::Many { name, .. } if name == expected), "{function}");
    }
}

#[test]
fn the_function_and_its_type_are_kept_whatever_is_wrong() {
    for attr in ["", "quee = \"x\"", "=", "queue = \"a\" \"b\""] {
        let items = expanded(attr, "async fn send(a: &str) -> R { body }");
        assert!(matches!(&items[0], Item::Fn(function) if function.sig.ident == "send"));
        assert!(matches!(&items[1], Item::Struct(marker) if marker.ident == "send"));
        assert!(matches!(items.last(), Some(Item::Macro(error)) if is(error, "compile_error")));
    }
}

#[test]
fn a_function_that_cannot_be_called_is_not_registered() {
    let registers = |item| expand::task(tokens(""), &tokens(item)).to_string().contains("submit");
    assert!(registers("fn f(a: u8) -> R {}"));
    assert!(!registers("fn f(a: &str) -> R {}"));
}

fn is(item: &syn::ItemMacro, name: &str) -> bool {
    item.mac.path.segments.last().is_some_and(|last| last.ident == name)
}

#[test]
fn documentation_moves_from_parameters_to_fields() {
    let items = expanded("", "fn f(/** Who. */ #[serde(default)] #[allow(unused)] a: u8, b: u8) -> R {}");
    let (Item::Fn(function), Item::Struct(args)) = (&items[0], &items[1]) else { panic!("not in this order") };
    let left = function.sig.inputs.iter().map(|input| match input {
        FnArg::Typed(input) => input.attrs.len(),
        FnArg::Receiver(_) => 0,
    });
    assert_eq!(left.collect::<Vec<_>>(), [1, 0]);
    assert_eq!(args.fields.iter().map(|field| field.attrs.len()).collect::<Vec<_>>(), [2, 1]);
}

#[test]
fn a_payload_owns_what_it_holds() {
    let errors =
        |item: &str| expand::payload(TokenStream::new(), &tokens(item)).to_string().matches("compile_error").count();
    for item in
        ["struct P<'a> { a: &'a str }", "struct P { a: &'static str }", "enum P { A(u8), B { b: Vec<&'static str> } }"]
    {
        assert_eq!(errors(item), 1, "{item}");
    }
    for item in ["struct P<T> { a: T }", "struct P { #[serde(skip)] a: &'static str }", "struct P(Cow<'static, str>);"]
    {
        assert_eq!(errors(item), 0, "{item}");
    }
}

#[test]
fn a_derive_that_is_there_already_is_not_made_twice() {
    let text =
        expand::payload(TokenStream::new(), &tokens("#[derive(serde::Serialize)] struct P { a: u8 }")).to_string();
    assert_eq!([text.matches("Serialize ,").count(), text.matches("Deserialize").count()], [0, 1], "{text}");
}

#[test]
fn a_list_holds_names_of_tasks() {
    let list = |list: &str| expand::tasks(tokens(list)).to_string();
    let text = list("pgq; send, billing::charge,");
    assert_eq!([text.matches(". with ::").count(), text.matches("distinct").count()], [2, 1], "{text}");
    assert_eq!(list("pgq;"), "{ pgq :: Tasks :: new () }");
    for (wrong, why) in
        [("pgq; send()", "write `send`"), ("pgq; 7", "got `7`"), ("pgq; send::<u8>()", "write `send::<u8>`")]
    {
        assert!(list(wrong).contains(&format!("expected the name of a task: {why}")), "{wrong}");
    }
}
