mod damage;
mod round_trip;
mod support;
