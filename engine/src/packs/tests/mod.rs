mod crash;
mod damage;
mod folder;
mod round_trip;
mod support;
