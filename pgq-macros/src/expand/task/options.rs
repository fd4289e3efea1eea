//! The options as a constant.

use std::time::Duration;

use pgq_core::options::Keep;
use pgq_core::{Missed, OnConflict, Overlap, Rate};
use proc_macro2::TokenStream;
use quote::{ToTokens, quote};

use crate::krate::Krate;
use crate::options::{Key, Limit, LimitKey, Limits, Options, Policy, Schedule, Unique};

pub(super) fn declared(options: &Options) -> TokenStream {
    let krate = &options.krate;
    let queue = options.queue.as_ref().map(|queue| quote!(.with_queue(#queue)));
    let priority = options.priority.map(|priority| {
        // By its rank, because that can't fail in a constant: the range was checked when the option was read.
        let rank = -priority;
        quote!(.with_priority(#krate::Priority::from_rank(#rank)))
    });
    let attempts = options.attempts.map(|attempts| quote!(.with_attempts(#attempts)));
    let retry = options.retry.as_ref().map(|policy| {
        let policy = retry(krate, policy);
        quote!(.with_retry(#policy))
    });
    let timeout = options.timeout.map(|timeout| {
        let timeout = span(krate, timeout);
        quote!(.with_timeout(#timeout))
    });
    let expires_in = options.expires_in.map(|expires_in| {
        let expires_in = span(krate, expires_in);
        quote!(.with_expires_in(#expires_in))
    });
    let unique = options.unique.as_ref().map(|declared| {
        let unique = unique(krate, declared);
        quote!(.with_unique(#unique))
    });
    let keep = options.keep.map(|kept| {
        let keep = keep(krate, kept);
        quote!(.with_keep(#keep))
    });
    let schedule = options.schedule.as_ref().map(|declared| {
        let schedule = schedule(krate, declared);
        quote!(.with_schedule(#schedule))
    });
    let limits = limits(krate, &options.limits);
    quote! {
        #krate::TaskOptions::DEFAULT
            #queue #priority #attempts #retry #timeout #expires_in #unique #keep #schedule #limits
    }
}

fn limits(krate: &Krate, limits: &Limits) -> TokenStream {
    let concurrency = limits.concurrency.map(|most| quote!(.with_concurrency(#most)));
    let pace = limits.rate.map(|declared| {
        let rate = rate(krate, declared);
        quote!(.with_rate(#rate))
    });
    let per_worker = limits.per_worker.map(|most| quote!(.with_per_worker(#most)));
    let others = limits.others.iter().map(|declared| limit(krate, declared));
    let others = (!limits.others.is_empty()).then(|| quote!(.with_limits(&[#(#others),*])));
    quote!(#concurrency #pace #per_worker #others)
}

fn limit(krate: &Krate, limit: &Limit) -> TokenStream {
    let key = limit.key.as_ref().map(|key| {
        let name = key.name();
        match key {
            LimitKey::Field(_) => quote!(#krate::LimitKey::Field(#name)),
            LimitKey::Function(_) => quote!(#krate::LimitKey::Function(#name)),
        }
    });
    let (name, key) = (maybe(limit.name.as_ref()), maybe(key));
    let (concurrency, rate) = (maybe(limit.concurrency), maybe(limit.rate.map(|declared| rate(krate, declared))));
    quote!(#krate::Limit { name: #name, key: #key, concurrency: #concurrency, rate: #rate })
}

fn rate(krate: &Krate, rate: Rate) -> TokenStream {
    let (interval, burst) = (span(krate, rate.interval()), rate.burst());
    quote!(#krate::__private::rate(#interval, #burst))
}

fn maybe(value: Option<impl ToTokens>) -> TokenStream {
    value.map_or_else(|| quote!(::core::option::Option::None), |value| quote!(::core::option::Option::Some(#value)))
}

fn schedule(krate: &Krate, schedule: &Schedule) -> TokenStream {
    let Schedule { cadence, zone, missed, overlap } = schedule;
    let missed = match missed {
        Missed::Skip => quote!(Skip),
        Missed::All(most) => quote!(All(#most)),
        _ => quote!(Once),
    };
    let overlap = match overlap {
        Overlap::Allow => quote!(Allow),
        Overlap::Queue => quote!(Queue),
        _ => quote!(Skip),
    };
    quote! {
        #krate::Schedule {
            cadence: #cadence,
            zone: #zone,
            missed: #krate::Missed::#missed,
            overlap: #krate::Overlap::#overlap,
        }
    }
}

fn retry(krate: &Krate, policy: &Policy) -> TokenStream {
    match policy {
        Policy::Exponential { base, factor, max, jitter } => {
            let (base, max) = (span(krate, *base), span(krate, *max));
            quote!(#krate::Retry::Exponential { base: #base, factor: #factor, max: #max, jitter: #jitter })
        }
        Policy::Linear { step, max } => {
            let (step, max) = (span(krate, *step), span(krate, *max));
            quote!(#krate::Retry::Linear { step: #step, max: #max })
        }
        Policy::Fixed(delay) => {
            let delay = span(krate, *delay);
            quote!(#krate::Retry::Fixed(#delay))
        }
        Policy::Delays(delays) => {
            let delays = delays.iter().map(|delay| span(krate, *delay));
            quote!(#krate::Retry::Delays(&[#(#delays),*]))
        }
    }
}

fn unique(krate: &Krate, unique: &Unique) -> TokenStream {
    let key = match &unique.key {
        Key::Same(key) => quote!(Same(#key)),
        Key::Fields(fields) => quote!(Fields(&[#(#fields),*])),
    };
    let on_conflict = match unique.on_conflict {
        OnConflict::Skip => quote!(Skip),
        OnConflict::Replace => quote!(Replace),
        OnConflict::RaisePriority => quote!(RaisePriority),
        _ => quote!(Reject),
    };
    let window = span(krate, unique.window);
    quote! {
        #krate::UniqueBy {
            key: #krate::UniqueKey::#key,
            on_conflict: #krate::OnConflict::#on_conflict,
            window: #window,
        }
    }
}

fn keep(krate: &Krate, keep: Keep) -> TokenStream {
    let Keep { completed, cancelled, discarded } = keep;
    let [completed, cancelled, discarded] = [completed, cancelled, discarded].map(|kept| span(krate, kept));
    quote!(#krate::Keep { completed: #completed, cancelled: #cancelled, discarded: #discarded })
}

fn span(krate: &Krate, span: Duration) -> TokenStream {
    let (secs, nanos) = (span.as_secs(), span.subsec_nanos());
    quote!(#krate::__private::Duration::new(#secs, #nanos))
}
