//! Where a device keeps packages, and how it fetches them: what touches the world outside the state machine.

use std::fmt::Debug;
use std::fs;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs, UdpSocket};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use coap_lite::{CoapOption, MessageClass, MessageType, RequestType, ResponseType};

use super::blocks::{Block, number_bytes};
use super::event::dotted;
use super::objects::PackageKind;
use crate::coap::{Message, Parsed};

/// A place for files.
pub trait PackageStorage: Debug + Send + Sync {
    /// Writes a file, in place of one of the same name.
    ///
    /// # Errors
    /// When that is not possible.
    fn put(&self, name: &str, bytes: &[u8]) -> io::Result<()>;

    /// The bytes of a file.
    fn get(&self, name: &str) -> Option<Vec<u8>>;

    /// Removes the files whose names begin with `prefix`, and keeps one.
    ///
    /// # Errors
    /// When that is not possible.
    fn remove(&self, prefix: &str, but: &str) -> io::Result<()>;
}

/// A folder, made when the first file comes.
#[derive(Clone, Debug)]
pub struct Folder(pub PathBuf);

/// Something that a device wants to be fetched.
#[derive(Clone, Debug, PartialEq)]
pub struct Download {
    /// What it is.
    pub kind: PackageKind,
    /// From where.
    pub url: String,
}

/// How long a block may take: the demo client's time-out.
const PATIENCE: Duration = Duration::from_secs(10);
/// ACK_TIMEOUT.
const AGAIN: Duration = Duration::from_secs(2);
/// Bytes of a block.
const BLOCK: usize = 1_024;

impl PackageStorage for Folder {
    fn put(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        fs::create_dir_all(&self.0)?;
        fs::write(self.0.join(name), bytes)
    }

    fn get(&self, name: &str) -> Option<Vec<u8>> {
        fs::read(self.0.join(name)).ok()
    }

    fn remove(&self, prefix: &str, but: &str) -> io::Result<()> {
        let entries = match fs::read_dir(&self.0) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name();
            if name.to_string_lossy().starts_with(prefix) && name != but {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }
}

/// Fetches `coap://HOST:PORT/PATH` block by block, from a socket of its own, unless it is to stop.
///
/// # Errors
/// In words: what is wrong with the URL, or what the answer was.
pub fn download(url: &str, largest: usize, stop: &AtomicBool) -> Result<Vec<u8>, String> {
    let failed = |what: &dyn std::fmt::Display| format!("{url}: {what}");
    let (server, path) = target(url).map_err(|error| failed(&error))?;
    let local = if server.is_ipv4() {
        "0.0.0.0:0"
    } else {
        "[::]:0"
    };
    let socket = UdpSocket::bind(local)
        .and_then(|socket| socket.connect(server).map(|()| socket))
        .map_err(|error| failed(&error))?;
    let (mut body, mut size, mut mid) = (Vec::new(), BLOCK, fastrand::u16(..));
    loop {
        if stop.load(Ordering::Relaxed) {
            return Err(failed(&"the device stops"));
        }
        mid = mid.wrapping_add(1);
        let block = Block {
            number: u32::try_from(body.len() / size).unwrap_or(u32::MAX),
            more: false,
            size,
        };
        let answer = ask(&socket, &path, block, mid).map_err(|error| failed(&error))?;
        let code = answer.packet.header.code;
        if code != MessageClass::Response(ResponseType::Content) {
            let code = match code {
                MessageClass::Response(code) => dotted(code).to_string(),
                other => format!("{other:?}"),
            };
            return Err(failed(&format!("the answer is {code}")));
        }
        let option = answer.uint(CoapOption::Block2).map(Block::from_number);
        let more = option.is_some_and(|block| block.more);
        size = option.map_or(size, |block| block.size.min(size));
        body.extend_from_slice(&answer.packet.payload);
        if body.len() > largest {
            return Err(failed(&format!("more than {largest} bytes")));
        }
        if !more {
            return Ok(body);
        }
    }
}

fn target(url: &str) -> Result<(SocketAddr, Vec<&str>), String> {
    let rest = url.strip_prefix("coap://");
    let rest = rest.ok_or("only coap:// is fetched")?;
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let found = authority
        .to_socket_addrs()
        .or_else(|_| (authority.trim_matches(['[', ']']), 5_683).to_socket_addrs());
    let address = found.map_err(|error| error.to_string())?.next();
    let path = path.split('/').filter(|segment| !segment.is_empty());
    Ok((address.ok_or("no such host")?, path.collect()))
}

fn ask(socket: &UdpSocket, path: &[&str], block: Block, mid: u16) -> io::Result<Parsed> {
    let code = MessageClass::Request(RequestType::Get);
    let mut message = Message::new(MessageType::Confirmable, code, mid, &mid.to_be_bytes());
    for segment in path {
        message = message.option(CoapOption::UriPath, *segment);
    }
    let bytes = message
        .option(CoapOption::Block2, number_bytes(block.to_number()))
        .encode();
    let (began, mut wait) = (Instant::now(), AGAIN);
    let mut buffer = [0; 2_048];
    while let left = PATIENCE.saturating_sub(began.elapsed())
        && !left.is_zero()
    {
        socket.send(&bytes)?;
        let until = Instant::now() + wait.min(left);
        wait *= 2;
        while let left = until.saturating_duration_since(Instant::now())
            && !left.is_zero()
        {
            socket.set_read_timeout(Some(left))?;
            let Ok(length) = socket.recv(&mut buffer) else {
                break;
            };
            let answer = Parsed::from_bytes(&buffer[..length]);
            let fits = |answer: &Parsed| {
                let response = matches!(answer.packet.header.code, MessageClass::Response(_));
                response && answer.packet.get_token() == mid.to_be_bytes()
            };
            if let Some(answer) = answer.filter(fits) {
                return Ok(answer);
            }
        }
    }
    Err(io::Error::new(io::ErrorKind::TimedOut, "no answer"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_keeps_files_and_removes_those_of_a_kind() {
        let directory = tempfile::tempdir().unwrap();
        let folder = Folder(directory.path().join("ota"));
        for name in ["FW_a.bin", "FW_Ota.json", "SW_b.bin"] {
            folder.put(name, name.as_bytes()).unwrap();
        }
        folder.remove("FW_", "FW_Ota.json").unwrap();
        assert_eq!(folder.get("FW_a.bin"), None);
        assert_eq!(folder.get("FW_Ota.json").unwrap(), b"FW_Ota.json");
        assert!(folder.get("SW_b.bin").is_some());
    }

    #[test]
    fn a_package_is_fetched_block_by_block() {
        let image: Vec<u8> = (0..2_500_u32).map(|at| at as u8).collect();
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        let url = format!("coap://{}/tbfw/x", server.local_addr().unwrap());
        let body = image.clone();
        let thread = std::thread::spawn(move || {
            let mut buffer = [0; 2_048];
            for _ in 0..3 {
                let (length, peer) = server.recv_from(&mut buffer).unwrap();
                let request = Parsed::from_bytes(&buffer[..length]).unwrap();
                let option = request.uint(CoapOption::Block2).unwrap();
                let block = Block::from_number(option);
                let (part, more) = super::super::blocks::slice(&body, block).unwrap();
                let header = &request.packet.header;
                let code = MessageClass::Response(ResponseType::Content);
                let kind = MessageType::Acknowledgement;
                let token = request.packet.get_token();
                let answer = Message::new(kind, code, header.message_id, token)
                    .option(
                        CoapOption::Block2,
                        number_bytes(Block { more, ..block }.to_number()),
                    )
                    .payload(part.to_vec());
                server.send_to(&answer.encode(), peer).unwrap();
            }
        });
        assert_eq!(download(&url, 1 << 20, &AtomicBool::new(false)), Ok(image));
        thread.join().unwrap();
    }

    #[test]
    fn what_is_not_fetched_is_said_in_words() {
        let refused = download("coaps://127.0.0.1/x", 10, &AtomicBool::new(false)).unwrap_err();
        assert!(refused.contains("only coap://"), "{refused}");
    }
}
