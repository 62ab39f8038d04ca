//! smoltcp behind the trait.
