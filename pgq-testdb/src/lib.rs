//! A fresh PostgreSQL database for every test.
