mod claims;
mod files;
mod fixture;
mod generated;
mod index;
mod rules;
