use pgq_core::Rate;
use quote::quote;

use super::*;

fn read(tokens: TokenStream) -> (Options, Vec<String>) {
    let mut errors = Errors::default();
    let options = Options::of_task(tokens, &mut errors);
    (options, errors.messages())
}

fn right(tokens: TokenStream) -> Options {
    let (options, errors) = read(tokens);
    assert_eq!(errors, [""; 0]);
    options
}

/// The one error of an attribute.
fn wrong(tokens: TokenStream) -> String {
    let (_, errors) = read(tokens);
    assert_eq!(errors.len(), 1, "{errors:?}");
    errors.concat()
}

fn secs(secs: u64) -> std::time::Duration {
    std::time::Duration::from_secs(secs)
}

#[test]
fn every_option_is_read() {
    let options = right(quote! {
        name = "billing.charge", aliases = ["charge", "pay"], queue = "mail", priority = -5, attempts = 8, keep = "2d",
        retry = exponential("1s", factor = 3, max = "10m", jitter = false), schema = none, crate = my::pgq,
    });
    let text = |literal: &LitStr| literal.value();
    assert_eq!(options.name.as_ref().map(text).as_deref(), Some("billing.charge"));
    assert_eq!(options.aliases.iter().map(text).collect::<Vec<_>>(), ["charge", "pay"]);
    assert_eq!(options.queue.as_ref().map(text).as_deref(), Some("mail"));
    assert_eq!((options.priority, options.attempts, options.schema), (Some(-5), Some(8), false));
    let two_days = secs(172_800);
    assert_eq!(options.keep, Some(Keep { completed: two_days, cancelled: two_days, discarded: two_days }));
    let expected = Policy::Exponential { base: secs(1), factor: 3.0, max: secs(600), jitter: false };
    assert_eq!(options.retry, Some(expected));
    assert_eq!(options.krate.reexport("serde").value(), "my::pgq::__private::serde");
}

#[test]
fn every_retry_policy_is_read() {
    let defaults = Policy::Exponential { base: secs(2), factor: 2.0, max: secs(3_600), jitter: true };
    let table = [
        (quote!(exponential("2s")), Some(defaults), None),
        (
            quote!(linear("10s", max = "5m", attempts = 3)),
            Some(Policy::Linear { step: secs(10), max: secs(300) }),
            Some(3),
        ),
        (quote!(fixed("30s", attempts = 9)), Some(Policy::Fixed(secs(30))), Some(9)),
        (quote!(delays("1s", "1m")), Some(Policy::Delays(vec![secs(1), secs(60)])), None),
        (quote!(none), None, Some(1)),
    ];
    for (policy, retry, attempts) in table {
        let options = right(quote!(retry = #policy));
        assert_eq!((options.retry, options.attempts), (retry, attempts), "{policy}");
    }
}

#[test]
fn keep_is_told_for_all_or_for_each() {
    let keep = |tokens| right(tokens).keep;
    assert_eq!(keep(quote!(keep = none)), Some(Keep::NONE));
    assert_eq!(keep(quote!(keep(discarded = "1h"))), Some(Keep { discarded: secs(3_600), ..Keep::DEFAULT }));
    assert_eq!(keep(quote!(keep(completed = none))), Some(Keep { completed: secs(0), ..Keep::DEFAULT }));
}

#[test]
fn an_option_is_refused_by_what_is_wrong_with_it() {
    for (tokens, message) in [
        (quote!(quee = "mail"), "unknown option `quee`: did you mean `queue`?"),
        (quote!(overlap = "skip"), "`overlap` is an option of a schedule: write `#[pgq::schedule(…)]`"),
        (quote!(timeout = "0s"), "expected a span of more than zero, got `\"0s\"`"),
        (quote!(expires_in = 5), "expected a span with a unit, got `5`: write \"5s\" for seconds"),
        (quote!(tags = ["a"]), "the option `tags` isn't there yet: leave it out"),
        (quote!(queue = "a", queue = "b"), "the option `queue` is given twice: keep one of them"),
        (quote!("mail"), "expected an option such as `queue = \"mail\"`, got `\"mail\"`"),
        (quote!(queue), "expected `queue = \"mail\"`"),
        (quote!(queue =), "expected a value after `queue =`"),
        (quote!(queue = mail), "expected a string literal, got `mail`"),
        (quote!(aliases = "old"), "expected a list such as `[\"old_name\"]`, got `\"old\"`"),
        (quote!(crate = "pgq"), "expected the path of pgq without quotes, such as `crate = my::pgq`, got `\"pgq\"`"),
    ] {
        assert_eq!(wrong(tokens), message);
    }
    assert!(wrong(quote!(database = "x")).starts_with("unknown option `database`: there is `name`, `aliases`"));
    assert!(wrong(quote!(queue = "a b")).starts_with("expected a name of 1 to 128 letters"));
    assert!(wrong(quote!(schema = "x")).starts_with("expected `none`"));
}

#[test]
fn an_option_of_a_schedule_is_refused_by_what_is_wrong_with_it() {
    let expression = "the expression stands first, without a name: write `#[pgq::schedule(\"*/5 * * * *\")]`";
    let quotes = "expected a cron expression in quotes, as an attribute knows no constants: `\"*/5 * * * *\"`, got";
    for (tokens, message) in [
        (quote!("@daily", timezone = "UTC"), "unknown option `timezone`: did you mean `tz`?".to_owned()),
        (quote!("@daily", mised = "skip"), "unknown option `mised`: did you mean `missed`?".to_owned()),
        (quote!(cron = "@daily"), expression.to_owned()),
        (quote!(NIGHTLY, missed = "skip"), format!("{quotes} `NIGHTLY`")),
        (quote!(times::NIGHTLY), format!("{quotes} `times::NIGHTLY`")),
        (quote!(concat!("@", "daily")), format!("{quotes} `concat!(\"@\", \"daily\")`")),
        (quote!(5), format!("{quotes} `5`")),
        (quote!("EVERY 5s"), "expected a cron expression, got \"EVERY 5s\": write `every = \"5s\"`".to_owned()),
        (quote!(evry = "5s"), "unknown option `evry`: did you mean `every`?".to_owned()),
        (quote!(every), "expected `every = \"90s\"`".to_owned()),
    ] {
        let mut errors = Errors::default();
        let _ = Options::of_schedule(tokens, &mut errors);
        assert_eq!(errors.messages(), [message]);
    }
}

#[test]
fn every_limit_is_read() {
    let limits = right(quote! {
        concurrency = 5, rps = 100, burst = 7, per = "1m", per_worker = 2,
        limit(concurrency = 2, rps = 0.5, key = "tenant"), limit(rps = 20.0, name = "stripe"),
        limit(concurrency = 1, name = "stripe", key = billing::account),
    })
    .limits;
    assert_eq!((limits.concurrency, limits.per_worker), (Some(5), Some(2)));
    let every = |millis, burst| Rate::every(std::time::Duration::from_millis(millis), burst);
    assert_eq!(limits.rate, every(600, 7));
    let [tenant, stripe, account] = &limits.others[..] else { panic!("there are three") };
    assert!(tenant.name.is_none() && matches!(&tenant.key, Some(LimitKey::Field(field)) if field.value() == "tenant"));
    assert_eq!((tenant.concurrency, tenant.rate), (Some(2), every(2_000, 1)));
    assert_eq!(stripe.name.as_ref().map(LitStr::value).as_deref(), Some("stripe"));
    assert_eq!((stripe.concurrency, stripe.rate), (None, every(50, 20)));
    assert_eq!(account.key.as_ref().map(LimitKey::name).as_deref(), Some("account"));
}

#[test]
fn a_limit_is_refused_by_what_is_wrong_with_it() {
    let example = "`limit(concurrency = 2, key = \"tenant\")` or `limit(rps = 20, name = \"stripe\")`";
    let beside = "expected a `key` or a `name`: for all jobs of the task write";
    let named = "the task has a limit of this name and key: put the bounds into one";
    for (tokens, message) in [
        (quote!(burst = 5), "`burst` says more of a rate: add `rps = …`"),
        (quote!(concurrency = 5, per = "1m"), "`per` says more of a rate: add `rps = …`"),
        (quote!(limit(concurrency = 2, burst = 5, key = "a")), "`burst` says more of a rate: add `rps = …`"),
        (quote!(rps = 5, per = "0s"), "expected a span of more than zero, got `\"0s\"`"),
        (quote!(rps = 0, burst = 5), "expected a number of more than zero, such as `10` or `0.5`, got `0`"),
        (quote!(rps = "5"), "expected a number of more than zero, such as `10` or `0.5`, got `\"5\"`"),
        (quote!(rps = 1e9), "expected a rate from one start in 366 days to one in a microsecond, got `1e9`"),
        (quote!(rps = 1e-9), "expected a rate from one start in 366 days to one in a microsecond, got `1e-9`"),
        (quote!(limits(rps = 5)), "unknown option `limits`: did you mean `limit`?"),
        (quote!(max_concurrency = 5), "unknown option `max_concurrency`: did you mean `concurrency`?"),
        (quote!(serial), crate::options::limit::SERIAL),
        (quote!(serial = "account"), crate::options::limit::SERIAL),
        (quote!(limit = 5), &*format!("expected {example}")),
        (quote!(limit()), &*format!("expected `concurrency` or `rps` in a limit: write {example}")),
        (quote!(limit(key = "a")), &*format!("expected `concurrency` or `rps` in a limit: write {example}")),
        (quote!(limit(concurrency = 2)), &*format!("{beside} `concurrency = …` in its place")),
        (quote!(limit(rps = 2)), &*format!("{beside} `rps = …` in its place")),
        (quote!(limit(2, key = "a")), "expected a name before the value, such as `concurrency = 2`, got `2`"),
        (quote!(limit(rsp = 5, key = "a")), "unknown argument `rsp`: did you mean `rps`?"),
        (quote!(limit(rps = 5, by = "a")), "unknown argument `by`: did you mean `key`?"),
        (quote!(limit(rps = 5, key = "")), "expected the name of an argument, got `\"\"`"),
        (quote!(limit(rps = 5, key = "a"), limit(concurrency = 5, key = "a")), named),
        (quote!(limit(rps = 5, name = "a"), limit(rps = 5, name = "a")), named),
        (quote!(limit(rps = 5, key = a), limit(rps = 5, key = some::a)), named),
    ] {
        assert_eq!(wrong(tokens), message);
    }
    assert!(wrong(quote!(limit(rps = 5, name = "a b"))).starts_with("expected a name of 1 to 128 letters"));
    assert!(wrong(quote!(limit(rps = 5, key = 7))).starts_with("expected an argument such as `\"tenant\"`"));
    for option in [quote!(concurrency), quote!(per_worker), quote!(rps = 1, burst)] {
        for value in [quote!(0), quote!(1_000_001), quote!(-1), quote!(1.5)] {
            assert!(wrong(quote!(#option = #value)).starts_with("expected a number from 1 to 1000000"), "{value}");
        }
    }
    right(quote!(limit(rps = 5, name = "a"), limit(rps = 5, name = "b"), limit(rps = 5, name = "a", key = "c")));
}

#[test]
fn numbers_stay_within_their_bounds() {
    for value in [quote!(0), quote!(32_768), quote!(-1), quote!("8"), quote!(1.5)] {
        assert!(wrong(quote!(attempts = #value)).starts_with("expected a number from 1 to 32767"), "{value}");
    }
    for value in [quote!(-32_768), quote!(32_768), quote!(high), quote!(99_999_999_999_999_999_999)] {
        assert!(wrong(quote!(priority = #value)).starts_with("expected a number from -32767 to 32767"), "{value}");
    }
    assert_eq!(right(quote!(priority = -32_767, attempts = 32_767)).priority, Some(-32_767));
}

#[test]
fn a_span_without_a_unit_is_told_how_to_write_one() {
    assert_eq!(wrong(quote!(keep = 30)), "expected a span with a unit, got `30`: write \"30s\" for seconds");
    assert_eq!(wrong(quote!(retry = fixed(0.5))), "expected a span with a unit, got `0.5`: write \"0.5s\" for seconds");
    assert!(wrong(quote!(keep = "30")).starts_with("expected a span with units such as"));
}

#[test]
fn a_retry_policy_makes_sense() {
    for (policy, message) in [
        (quote!(exponentail("1s")), "unknown retry policy `exponentail`: did you mean `exponential`?"),
        (quote!(exponential("1s", facto = 2.0)), "unknown argument `facto`: did you mean `factor`?"),
        (quote!(exponential("1s", factor = 0.5)), "expected a number of at least 1, got `0.5`"),
        (quote!(exponential("1s", factor = 1e999)), "expected a number of at least 1, got `1e999`"),
        (quote!(exponential("1s", jitter = 1)), "expected `true` or `false`, got `1`"),
        (quote!(exponential("1s", max = "1m", max = "2m")), "the argument `max` is given twice: keep one of them"),
        (quote!(exponential("2m", max = "1m")), "expected a `max` of at least the first delay"),
        (quote!(fixed()), "expected the first delay, such as \"30s\", as the first argument"),
        (quote!(fixed("1s", "2s")), "expected one delay: write `delays(…)` for a list, or a name before the value"),
        (quote!(delays()), "expected at least one delay, such as `delays(\"1s\", \"1m\", \"5m\")`"),
    ] {
        assert_eq!(wrong(quote!(retry = #policy)), message);
    }
    assert!(wrong(quote!(retry = linear("2h"))).starts_with("expected a first delay of at most \"1h\""));
    assert!(wrong(quote!(retry = 5)).starts_with("expected `exponential(\"1s\")`"));
}

#[test]
fn attempts_are_given_once() {
    let twice = "the attempts are given twice, in `retry` and beside it: keep one of them";
    assert_eq!(wrong(quote!(attempts = 3, retry = fixed("1s", attempts = 4))), twice);
    assert_eq!(wrong(quote!(retry = fixed("1s", attempts = 4), attempts = 3)), twice);
    let none = "`retry = none` is one attempt: leave `attempts` out";
    assert_eq!(wrong(quote!(attempts = 3, retry = none)), none);
    assert_eq!(wrong(quote!(retry = none, attempts = 3)), none);
}

#[test]
fn one_wrong_option_does_not_hide_the_others() {
    let (options, errors) = read(quote!(quee = "mail", priority = 3, attempts = 0));
    assert_eq!((options.priority, errors.len()), (Some(3), 2));
}

#[test]
fn a_payload_has_two_options() {
    let mut errors = Errors::default();
    let options = Options::of_payload(quote!(schema = none, queue = "mail"), &mut errors);
    assert!(!options.schema);
    assert_eq!(errors.messages(), ["unknown option `queue`: there is `schema`, `crate`"]);
}
