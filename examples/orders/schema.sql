-- The shop's own tables. Those of pgq are beside them in the same database, which is what makes an order and its jobs one
-- transaction.
create schema if not exists shop;

create table if not exists shop.item (
  name text primary key,
  cents bigint not null,
  stock int not null
);
insert into shop.item values ('lamp', 2900, 10000), ('chair', 9900, 10000), ('unicorn', 99900, 0) on conflict do nothing;

create table if not exists shop.orders (
  id bigint generated always as identity primary key,
  item text not null references shop.item,
  quantity int not null,
  cents bigint not null,
  progress text not null default 'placed',
  fence bigint not null default 0  -- of the run that wrote the progress
);

-- Stands for a payment provider, and the primary key for the idempotency key that one gives it with each request.
create table if not exists shop.charge (
  order_id bigint primary key references shop.orders,
  run bigint not null,
  settled boolean not null default false
);

create table if not exists shop.receipt (
  order_id bigint primary key references shop.orders
);
