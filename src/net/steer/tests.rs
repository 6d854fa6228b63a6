use std::net::{SocketAddr, UdpSocket};

use super::*;
use crate::net::mmsg::ReceiveBatch;
use crate::net::socket::{SocketGroup, SocketOptions};

#[test]
fn the_program_by_source_reads() {
    let expected = " 0: ldb [net+0]
 1: rsh #4
 2: jeq #6, 8, 3
 3: ldxb 4*([net+0]&0xf)
 4: ldh [x + net+0]
 5: st M[0]
 6: ld [net+12]
 7: ja 20
 8: ldh [net+40]
 9: st M[0]
10: ld [net+8]
11: tax
12: ld [net+12]
13: xor x
14: tax
15: ld [net+16]
16: xor x
17: tax
18: ld [net+20]
19: xor x
20: mul #0x9e3779b1
21: ldx M[0]
22: add x
23: mul #0x85ebca6b
24: tax
25: rsh #16
26: xor x
27: mod #3
28: ret a
";
    assert_eq!(Program::by_source(3).to_string(), expected);
}

#[test]
fn the_program_by_connection_id_looks_at_the_record_first() {
    let text = Program::by_connection_id(2, CID_SHARD_OFFSET).to_string();
    let first: Vec<_> = text.lines().take(6).collect();
    let expected = [
        " 0: ldb [0]",
        " 1: jeq #25, 2, 5",
        " 2: ldb [11]",
        " 3: mod #2",
        " 4: ret a",
        " 5: ldb [net+0]",
    ];
    assert_eq!(first, expected);
}

#[test]
fn the_kernel_chooses_the_shard_that_shard_of_names() {
    for (listen, bind, to, shards) in [
        ("127.0.0.1:0", "127.0.0.1", "127.0.0.1", 2),
        ("[::]:0", "127.0.0.1", "127.0.0.1", 3),
        ("[::]:0", "[::1]", "::1", 5),
        ("[::1]:0", "[::1]", "::1", 2),
    ] {
        let group = group_on(listen, shards);
        let steering = attach(&group, &Program::by_source(shards as u32));
        assert!(matches!(steering, Steering::Program), "{steering:?}");
        let server = SocketAddr::new(to.parse().unwrap(), group[0].local_addr().port());
        let mut seen = vec![0; shards];
        for flow in 0..200_u32 {
            // IPv4 flows vary in address and port, IPv6 ones in port: loopback has one address there.
            let client = if bind.starts_with('[') {
                UdpSocket::bind((bind.trim_matches(['[', ']']), 0)).unwrap()
            } else {
                UdpSocket::bind((std::net::Ipv4Addr::from(0x7F00_0001 + flow * 7919), 0)).unwrap()
            };
            client.send_to(b"x", server).unwrap();
            let peer = PeerAddr::from(client.local_addr().unwrap());
            assert_eq!(
                receiving_shard(&group),
                shard_of(&peer, shards),
                "{peer} on {listen}"
            );
            seen[shard_of(&peer, shards)] += 1;
        }
        let fair = 200 / shards;
        assert!(
            seen.iter().all(|&n| n > fair / 4 && n < fair * 2),
            "{listen}: {seen:?}"
        );
    }
}

#[test]
fn a_record_with_connection_id_goes_to_the_shard_it_names() {
    let group = group_on("127.0.0.1:0", 4);
    let steering = attach(&group, &Program::by_connection_id(4, CID_SHARD_OFFSET));
    assert!(matches!(steering, Steering::Program), "{steering:?}");
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    let peer = PeerAddr::from(client.local_addr().unwrap());
    for shard in [3_u8, 0, 2, 1] {
        let mut record = [0; 40];
        record[0] = 25;
        record[CID_SHARD_OFFSET as usize] = shard;
        client.send_to(&record, group[0].local_addr()).unwrap();
        assert_eq!(receiving_shard(&group), usize::from(shard));
        record[0] = 23;
        client.send_to(&record, group[0].local_addr()).unwrap();
        assert_eq!(
            receiving_shard(&group),
            shard_of(&peer, 4),
            "a record without identifier goes by source"
        );
    }
}

#[test]
fn a_refused_program_leaves_the_kernels_hash() {
    let group = group_on("127.0.0.1:0", 2);
    let broken = Program {
        instructions: vec![LOAD_BYTE],
    }; // does not end in a return
    assert!(matches!(attach(&group, &broken), Steering::KernelHash(_)));
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.send_to(b"x", group[0].local_addr()).unwrap();
    assert!(receiving_shard(&group) < 2);
}

#[test]
fn one_socket_needs_no_steering() {
    assert!(matches!(
        attach(&group_on("127.0.0.1:0", 1), &Program::by_source(1)),
        Steering::Single
    ));
}

fn group_on(address: &str, shards: usize) -> Vec<ShardSocket> {
    let options = SocketOptions {
        recv_buffer: 65_536,
        send_buffer: 65_536,
    };
    SocketGroup::bind(address.parse().unwrap(), shards, &options).unwrap()
}

/// Which socket of the group has the one datagram that is under way. Loopback delivers within the send call.
fn receiving_shard(group: &[ShardSocket]) -> usize {
    let mut batch = ReceiveBatch::new(2, 64);
    let got: Vec<_> = group
        .iter()
        .map(|socket| batch.receive(socket).unwrap_or(0))
        .collect();
    assert_eq!(got.iter().sum::<usize>(), 1, "{got:?}");
    got.iter().position(|&count| count == 1).unwrap_or_default()
}
