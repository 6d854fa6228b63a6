//! The storages that are compared, as their documentation says to use them for this.

use std::path::Path;

use fjall::{KeyspaceCreateOptions, PersistMode};
use redb::{ReadableDatabase, ReadableTable, TableDefinition};

const TABLE: TableDefinition<'_, u32, &[u8]> = TableDefinition::new("records");

/// Memory each may use for what it has read.
const CACHE: usize = 64 << 20;

pub trait Storage {
    /// Makes changes durable, together.
    fn put(&mut self, records: &[(u32, Vec<u8>)]);

    /// Number and bytes of all records.
    fn read_all(&mut self) -> (u64, u64);
}

pub fn open(name: &str, directory: &Path) -> Box<dyn Storage> {
    match name {
        "redb" => {
            let file = directory.join("records.redb");
            let database = redb::Database::builder().set_cache_size(CACHE).create(file);
            Box::new(Redb(database.expect("a database")))
        }
        "fjall" => {
            let builder = fjall::Database::builder(directory.join("records"));
            let database = builder.cache_size(CACHE as u64).worker_threads(1).open();
            let database = database.expect("a database");
            let options = || KeyspaceCreateOptions::default().max_memtable_size(8 << 20);
            let records = database.keyspace("records", options).expect("a keyspace");
            Box::new(Fjall { database, records })
        }
        other => panic!("{other} is not compared; redb and fjall are"),
    }
}

struct Redb(redb::Database);

impl Storage for Redb {
    fn put(&mut self, records: &[(u32, Vec<u8>)]) {
        let transaction = self.0.begin_write().expect("a transaction");
        {
            let mut table = transaction.open_table(TABLE).expect("a table");
            for (key, record) in records {
                table.insert(key, record.as_slice()).expect("an insert");
            }
        }
        transaction.commit().expect("a commit");
    }

    fn read_all(&mut self) -> (u64, u64) {
        let transaction = self.0.begin_read().expect("a transaction");
        let table = transaction.open_table(TABLE).expect("a table");
        let lengths = table.iter().expect("records").map(|entry| {
            let (_, record) = entry.expect("a record");
            record.value().len() as u64
        });
        lengths.fold((0, 0), |(count, bytes), length| (count + 1, bytes + length))
    }
}

struct Fjall {
    database: fjall::Database,
    records: fjall::Keyspace,
}

impl Storage for Fjall {
    fn put(&mut self, records: &[(u32, Vec<u8>)]) {
        let mut batch = self
            .database
            .batch()
            .durability(Some(PersistMode::SyncData));
        for (key, record) in records {
            batch.insert(&self.records, key.to_be_bytes(), record.as_slice());
        }
        batch.commit().expect("a commit");
    }

    fn read_all(&mut self) -> (u64, u64) {
        let lengths = self.records.iter().map(|entry| {
            let (_, record) = entry.into_inner().expect("a record");
            record.len() as u64
        });
        lengths.fold((0, 0), |(count, bytes), length| (count + 1, bytes + length))
    }
}
