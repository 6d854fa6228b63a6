use super::*;
use crate::store::MemoryStore;

const LIMIT: u64 = 1 << 20;

struct Fixture {
    packages: Packages,
    store: Arc<MemoryStore>,
    directory: tempfile::TempDir,
}

impl Fixture {
    async fn new() -> Self {
        let (store, directory) = (
            Arc::new(MemoryStore::default()),
            tempfile::tempdir().unwrap(),
        );
        let packages = Packages::load(store.clone(), directory.path().to_owned(), LIMIT);
        Self {
            packages: packages.await.unwrap(),
            store,
            directory,
        }
    }

    async fn reloaded(&self) -> Packages {
        let directory = self.directory.path().to_owned();
        Packages::load(self.store.clone(), directory, LIMIT)
            .await
            .unwrap()
    }

    fn files(&self) -> usize {
        std::fs::read_dir(self.directory.path()).unwrap().count()
    }

    async fn upload(
        &self,
        package: NewPackage,
        bytes: &[u8],
    ) -> Result<Arc<Package>, PackageError> {
        let mut upload = self.packages.begin(package)?;
        for chunk in bytes.chunks(1_000) {
            upload.write(chunk).await?;
        }
        self.packages.finish(upload).await
    }
}

fn package(title: &str) -> NewPackage {
    NewPackage {
        package_type: PackageType::Firmware,
        title: title.to_owned(),
        version: "1".to_owned(),
        tag: None,
        file_name: None,
        checksum_algorithm: Algorithm::default(),
        checksum: None,
    }
}

#[tokio::test]
async fn the_same_bytes_are_stored_once_and_go_with_their_last_package() {
    let fixture = Fixture::new().await;
    let bytes = vec![7; 600_000];
    let a = fixture.upload(package("a"), &bytes).await.unwrap();
    let b = fixture.upload(package("b"), &bytes).await.unwrap();
    assert_eq!((a.size(), fixture.files()), (Some(600_000), 1));
    fixture.packages.delete(&a.id).await.unwrap();
    assert_eq!(fixture.packages.image(&b.id).await.unwrap().bytes(), bytes);
    fixture.packages.delete(&b.id).await.unwrap();
    assert_eq!(fixture.files(), 0);
}

#[tokio::test]
async fn an_upload_that_is_given_up_or_refused_leaves_nothing() {
    let fixture = Fixture::new().await;
    let mut cut_off = fixture.packages.begin(package("a")).unwrap();
    cut_off.write(&[1; 300_000]).await.unwrap();
    assert_eq!(fixture.files(), 1);
    drop(cut_off);
    assert_eq!(fixture.files(), 0);

    let too_large = fixture
        .upload(package("a"), &vec![1; LIMIT as usize + 1])
        .await;
    assert!(matches!(
        too_large,
        Err(PackageError::TooLarge { limit: LIMIT })
    ));
    let empty = fixture.upload(package("a"), &[]).await;
    assert!(matches!(empty, Err(PackageError::Empty)));
    let wrong = NewPackage {
        checksum_algorithm: Algorithm::Md5,
        checksum: Some("0".repeat(32)),
        ..package("a")
    };
    let wrong = fixture.upload(wrong, b"abc").await.unwrap_err();
    assert!(
        wrong
            .to_string()
            .contains("900150983cd24fb0d6963f7d28e17f72"),
        "{wrong}"
    );
    assert_eq!(fixture.files(), 0);
    let none = PackageQuery::default();
    assert!(fixture.packages.list(&none).unwrap().items.is_empty());
    fixture.upload(package("a"), b"abc").await.unwrap();
}

#[tokio::test]
async fn packages_survive_a_restart_and_what_was_unfinished_is_removed() {
    let fixture = Fixture::new().await;
    let kept = fixture.upload(package("a"), b"abc").await.unwrap();
    std::fs::write(fixture.directory.path().join("upload-1-1.tmp"), b"half").unwrap();
    std::fs::write(fixture.directory.path().join("0".repeat(64)), b"stray").unwrap();
    let reloaded = fixture.reloaded().await;
    assert_eq!(reloaded.get(&kept.id).unwrap(), kept);
    assert_eq!(reloaded.image(&kept.id).await.unwrap().bytes(), b"abc");
    assert_eq!(fixture.files(), 1);
}

#[tokio::test]
async fn an_image_is_in_memory_once_and_only_while_somebody_has_it() {
    let fixture = Fixture::new().await;
    let package = fixture.upload(package("a"), b"abc").await.unwrap();
    let (one, other) = tokio::join!(
        fixture.packages.image(&package.id),
        fixture.packages.image(&package.id)
    );
    let (one, other) = (one.unwrap(), other.unwrap());
    assert!(Arc::ptr_eq(&one, &other));
    let gone = Arc::downgrade(&one);
    drop((one, other));
    assert!(gone.upgrade().is_none());
    assert_eq!(
        fixture.packages.image(&package.id).await.unwrap().bytes(),
        b"abc"
    );
}

#[tokio::test]
async fn two_packages_of_one_type_title_and_version_are_refused() {
    let fixture = Fixture::new().await;
    let first = fixture.upload(package("a"), b"abc").await.unwrap();
    let again = fixture.upload(package("a"), b"def").await;
    assert!(matches!(again, Err(PackageError::Exists { id }) if id == first.id));
    let software = NewPackage {
        package_type: PackageType::Software,
        ..package("a")
    };
    fixture.upload(software, b"abc").await.unwrap();
}

#[tokio::test]
async fn more_uploads_at_once_than_may_be_are_refused() {
    let fixture = Fixture::new().await;
    let running: Vec<_> = (0..MAX_UPLOADS)
        .map(|number| {
            fixture
                .packages
                .begin(package(&number.to_string()))
                .unwrap()
        })
        .collect();
    let refused = fixture.packages.begin(package("a"));
    assert!(matches!(refused, Err(PackageError::TooManyUploads)));
    drop(running);
    fixture.packages.begin(package("a")).unwrap();
}
