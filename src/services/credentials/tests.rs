mod claims;
mod files;
mod fixture;
mod index;
mod rules;
