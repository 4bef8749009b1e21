mod golden;
mod live;
mod segments;
mod support;
