//! What the type offers to those who enqueue: `enqueue`, `job` and `enqueue_many`.

use proc_macro2::TokenStream;
use quote::quote;

use super::{args, implements};
use crate::model::{Payload, Task};

pub(super) fn functions(task: &Task) -> TokenStream {
    if matches!(task.payload, Payload::Unknown) {
        return unknown(task);
    }
    let (krate, ident, vis) = (&task.options.krate, &task.function.sig.ident, &task.function.vis);
    let (args, implements) = (args::ty(task), implements(ident));
    // On the functions: on the type, it would be told of the code here as well.
    let deprecated: Vec<_> = task.function.attributes("deprecated").collect();
    quote! {
        #[allow(dead_code, unreachable_pub)]
        #implements #ident {
            /// Enqueues a job, when the future is awaited. In a transaction that is rolled back the job never existed.
            #(#deprecated)*
            #vis fn enqueue<'t>(target: impl #krate::Target<'t>, args: #args) -> #krate::Enqueue<'t, Self> {
                #krate::__private::enqueue(target, args)
            }

            /// A job with more to say than its arguments: priority, delay, queue, headers.
            #(#deprecated)*
            #vis fn job(args: #args) -> #krate::JobBuilder<Self> {
                #krate::JobBuilder::new(args)
            }

            /// Enqueues a job for each of the arguments in one round trip, when the future is awaited: all or none.
            #(#deprecated)*
            #vis fn enqueue_many<'t>(
                target: impl #krate::Target<'t>,
                args: impl ::core::iter::IntoIterator<Item = #args>,
            ) -> #krate::EnqueueMany<'t, Self> {
                #krate::__private::enqueue_many(target, args)
            }
        }
    }
}

/// For a function whose arguments can't be stored: takes any, so that its one error isn't repeated by its callers.
fn unknown(task: &Task) -> TokenStream {
    let (krate, ident, vis) = (&task.options.krate, &task.function.sig.ident, &task.function.vis);
    let implements = implements(ident);
    quote! {
        #[allow(dead_code, missing_docs, unreachable_pub)]
        #implements #ident {
            #vis fn enqueue<'t>(_: impl #krate::Target<'t>, _: impl ::core::marker::Sized) -> #krate::Enqueue<'t, Self> {
                ::core::unreachable!()
            }

            #vis fn job(_: impl ::core::marker::Sized) -> #krate::JobBuilder<Self> {
                ::core::unreachable!()
            }

            #vis fn enqueue_many<'t>(
                _: impl #krate::Target<'t>,
                _: impl ::core::marker::Sized,
            ) -> #krate::EnqueueMany<'t, Self> {
                ::core::unreachable!()
            }
        }
    }
}
