mod golden;
mod live;
mod races;
mod segments;
mod support;
mod world;
