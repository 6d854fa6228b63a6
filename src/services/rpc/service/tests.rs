mod calls;
mod persistent;
mod scripted;
