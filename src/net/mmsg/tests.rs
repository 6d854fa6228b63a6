use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use super::*;
use crate::net::addr::{LocalAddr, PeerAddr};
use crate::net::socket::{ShardSocket, SocketGroup, SocketOptions};

fn socket_on(address: &str) -> ShardSocket {
    let mut group =
        SocketGroup::bind(address.parse().unwrap(), 1, &SocketOptions::default()).unwrap();
    group.pop().unwrap()
}

/// Receives until `wanted` datagrams were seen, handing each to `each`.
fn receive_all(
    batch: &mut ReceiveBatch,
    socket: &ShardSocket,
    wanted: usize,
    mut each: impl FnMut(Received<'_>),
) {
    let patience = Instant::now() + Duration::from_secs(5);
    let mut seen = 0;
    while seen < wanted {
        match batch.receive(socket) {
            Ok(count) => {
                batch.iter().for_each(&mut each);
                seen += count;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                assert!(
                    Instant::now() < patience,
                    "{seen} of {wanted} datagrams came"
                );
                std::thread::yield_now();
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(seen, wanted);
}

/// Sends everything back to where it came from, from the address it was sent to.
fn echo(batch: &ReceiveBatch, sender: &mut SendBatch, socket: &ShardSocket) -> SendReport {
    let (mut arena, mut messages) = (Vec::new(), Vec::new());
    for received in batch.iter() {
        let start = arena.len() as u32;
        arena.extend_from_slice(received.bytes);
        messages.push(OutDatagram {
            peer: received.peer,
            local: received.local,
            start,
            len: received.bytes.len() as u32,
        });
    }
    sender.send(socket, &arena, &messages)
}

#[test]
fn thousands_of_peers_share_a_few_sockets_and_each_gets_its_own_answer() {
    const PEERS_PER_SOCKET: u32 = 250;
    let server = socket_on("127.0.0.1:0");
    let clients: Vec<_> = (0..8).map(|_| socket_on("0.0.0.0:0")).collect();
    let (mut inbox, mut outbox) = (ReceiveBatch::new(32, 64), SendBatch::new(32));

    let mut peers = std::collections::HashSet::new();
    for (index, client) in clients.iter().enumerate() {
        let mut arena = Vec::new();
        let mut messages = Vec::new();
        for n in 0..PEERS_PER_SOCKET {
            let source = Ipv4Addr::from(0x7F01_0001 + n);
            let start = arena.len() as u32;
            arena.extend_from_slice(&source.octets());
            arena.push(index as u8);
            messages.push(OutDatagram {
                peer: server.local_addr().into(),
                local: Some(LocalAddr::v4(source)),
                start,
                len: 5,
            });
        }
        let report = outbox.send(client, &arena, &messages);
        assert_eq!(
            (report.sent, report.failed()),
            (PEERS_PER_SOCKET as usize, 0)
        );
        let mut answered = 0;
        while answered < PEERS_PER_SOCKET as usize {
            let Ok(count) = inbox.receive(&server) else {
                continue;
            };
            inbox.iter().for_each(|received| {
                peers.insert(received.peer);
            });
            assert_eq!(echo(&inbox, &mut outbox, &server).sent, count);
            answered += count;
        }
        receive_all(&mut inbox, client, PEERS_PER_SOCKET as usize, |received| {
            let Some(IpAddr::V4(to)) = received.local.map(|local| local.ip()) else {
                panic!("{received:?}")
            };
            assert_eq!(
                received.bytes[..4],
                to.octets(),
                "an answer went to another peer"
            );
            assert_eq!(
                received.bytes[4], index as u8,
                "an answer went to another port"
            );
        });
    }
    assert_eq!(peers.len(), 8 * PEERS_PER_SOCKET as usize);
}

#[test]
fn an_answer_leaves_from_the_address_the_request_came_to() {
    for (listen, ask, bind) in [
        ("0.0.0.0:0", "127.9.8.7", "127.0.0.1:0"),
        ("[::]:0", "127.9.8.7", "127.0.0.1:0"),
        ("[::]:0", "::1", "[::1]:0"),
        ("[::1]:0", "::1", "[::1]:0"),
    ] {
        let server = socket_on(listen);
        let asked = SocketAddr::new(ask.parse().unwrap(), server.local_addr().port());
        let client = UdpSocket::bind(bind).unwrap();
        client
            .set_read_timeout(Some(Duration::from_secs(5)))
            .unwrap();
        client.send_to(b"ping", asked).unwrap();

        let mut inbox = ReceiveBatch::new(4, 64);
        receive_all(&mut inbox, &server, 1, |received| {
            assert_eq!(
                SocketAddr::from(received.peer),
                client.local_addr().unwrap(),
                "{listen}"
            );
            assert_eq!(received.local.unwrap().ip(), asked.ip(), "{listen}");
            assert_eq!((received.bytes, received.truncated), (&b"ping"[..], false));
        });
        assert_eq!(echo(&inbox, &mut SendBatch::new(4), &server).sent, 1);
        let mut buffer = [0; 16];
        let (length, from) = client.recv_from(&mut buffer).unwrap();
        assert_eq!((&buffer[..length], from), (&b"ping"[..], asked), "{listen}");
    }
}

#[test]
fn an_ipv6_address_other_than_the_wildcard_takes_no_ipv4() {
    let server = socket_on("[::1]:0");
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client
        .send_to(b"ping", ("127.0.0.1", server.local_addr().port()))
        .unwrap();
    let error = ReceiveBatch::new(1, 16).receive(&server).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
}

#[test]
fn a_datagram_longer_than_the_buffer_is_told_with_its_real_length() {
    let server = socket_on("127.0.0.1:0");
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    for length in [15, 16, 17, 9_000] {
        client
            .send_to(&vec![7; length], server.local_addr())
            .unwrap();
    }
    client.send_to(&[], server.local_addr()).unwrap();
    let mut seen = Vec::new();
    receive_all(&mut ReceiveBatch::new(8, 16), &server, 5, |received| {
        assert!(received.bytes.iter().all(|&byte| byte == 7));
        seen.push((
            received.bytes.len(),
            received.truncated,
            received.original_len,
        ));
    });
    let expected = [
        (15, false, 15),
        (16, false, 16),
        (16, true, 17),
        (16, true, 9_000),
        (0, false, 0),
    ];
    assert_eq!(seen, expected);
}

#[test]
fn a_message_that_cannot_be_sent_does_not_hold_up_those_behind_it() {
    let server = socket_on("127.0.0.1:0");
    let client = socket_on("0.0.0.0:0");
    let good = OutDatagram {
        peer: server.local_addr().into(),
        local: None,
        start: 0,
        len: 4,
    };
    let peer = |text: &str| PeerAddr::from(text.parse::<SocketAddr>().unwrap());
    let messages = [
        OutDatagram {
            peer: peer("127.0.0.1:0"),
            ..good
        }, // port 0: EINVAL
        good,
        OutDatagram {
            peer: peer("[2001:db8::1]:5683"),
            ..good
        }, // another family
        good,
        OutDatagram {
            len: 70_000,
            ..good
        }, // more than a datagram holds
        OutDatagram {
            start: 90_000,
            ..good
        }, // outside of the arena
        good,
        OutDatagram {
            local: Some(LocalAddr::v4([192, 0, 2, 1].into())),
            ..good
        }, // not an address of ours
    ];
    let mut arena = vec![0; 80_000];
    arena[..4].copy_from_slice(b"good");
    for batch in [1, 2, 32] {
        let report = SendBatch::new(batch).send(&client, &arena, &messages);
        assert_eq!(
            (report.sent, report.failed(), report.would_block),
            (3, 5, false),
            "batches of {batch}"
        );
        assert_eq!(report.handled(), messages.len());
        assert_eq!(report.failures().map(|(_, count)| count).sum::<u32>(), 5);
        assert!(
            report
                .failures()
                .any(|(error, _)| error.raw_os_error() == Some(libc::EMSGSIZE))
        );
        receive_all(&mut ReceiveBatch::new(8, 16), &server, 3, |received| {
            assert_eq!(received.bytes, b"good")
        });
    }
}

#[test]
fn a_socket_with_nothing_to_read_would_block() {
    let server = socket_on("127.0.0.1:0");
    let mut inbox = ReceiveBatch::new(8, 16);
    assert_eq!(
        inbox.receive(&server).unwrap_err().kind(),
        io::ErrorKind::WouldBlock
    );
    assert_eq!(inbox.iter().count(), 0);
}

#[test]
fn datagrams_the_kernel_dropped_are_counted() {
    let options = SocketOptions {
        recv_buffer: 4_096,
        send_buffer: 1 << 20,
    };
    let server = SocketGroup::bind("127.0.0.1:0".parse().unwrap(), 1, &options)
        .unwrap()
        .pop()
        .unwrap();
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    for _ in 0..100 {
        client.send_to(&[0; 1_000], server.local_addr()).unwrap();
    }
    let mut inbox = ReceiveBatch::new(128, 1_024);
    let mut kept = inbox.receive(&server).unwrap();
    assert!(kept < 100);
    // The counter comes with datagrams queued after the loss.
    client.send_to(b"last", server.local_addr()).unwrap();
    receive_all(&mut inbox, &server, 1, |received| {
        assert_eq!(received.bytes, b"last")
    });
    kept += inbox.kernel_drops() as usize;
    assert_eq!(kept, 100);
    assert_eq!(inbox.drops_in_batch(), Some(inbox.kernel_drops()));
}
