//! Steering: a classic BPF program picks the shard's socket for each datagram, in the kernel.
//!
//! The kernel's own choice is a hash that cannot be computed here, so nobody could say which shard a peer belongs to.
//! The program replaces it by a function that [`shard_of`] repeats. It runs on the UDP payload (offset 0); the IP header
//! is reached at `SKF_NET_OFF` (linux/filter.h). socket(7), `SO_ATTACH_REUSEPORT_CBPF`.

use std::fmt;
use std::io;
use std::os::fd::AsRawFd;

use super::addr::PeerAddr;
use super::socket::ShardSocket;

/// Where the shard byte of our Connection IDs lies in a DTLS 1.2 record that carries one: after type (1), version (2),
/// epoch (2) and sequence number (6) (RFC 9146 §4): it is the first byte of the identifier.
pub const CID_SHARD_OFFSET: u32 = 11;

/// Content type `tls12_cid` (RFC 9146 §3).
const TLS12_CID: u32 = 25;

const MIX_ADDRESS: u32 = 0x9E37_79B1;
const MIX_PORT: u32 = 0x85EB_CA6B;

const NET: u32 = 0xFFF0_0000; // SKF_NET_OFF, -0x100000

/// How the datagrams of a group of sockets get distributed.
#[derive(Debug)]
pub enum Steering {
    /// One socket: nothing to choose.
    Single,
    /// By the program; [`shard_of`] tells where a peer's datagrams arrive.
    Program,
    /// The program was refused. The kernel's hash distributes; a shard has to hand on what is not its own.
    KernelHash(io::Error),
}

/// A classic BPF program for `shards` sockets.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Program {
    instructions: Vec<Instruction>,
}

/// One instruction in the form the kernel takes (`struct sock_filter`).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Instruction {
    code: u16,
    jump_true: u8,
    jump_false: u8,
    k: u32,
}

/// Installs `program` for the whole group: all its sockets must be bound already.
///
/// A refusal is not an error: the service goes on with the kernel's hash, and the caller counts it.
#[must_use]
pub fn attach(group: &[ShardSocket], program: &Program) -> Steering {
    let [first, _, ..] = group else {
        return Steering::Single;
    };
    match attach_to(first, program) {
        Ok(()) => Steering::Program,
        Err(error) => Steering::KernelHash(error),
    }
}

/// The shard that the program of [`Program::by_source`] chooses for `peer`.
#[must_use]
pub fn shard_of(peer: &PeerAddr, shards: usize) -> usize {
    if shards <= 1 {
        return 0;
    }
    let address = match peer.as_v4() {
        Some(ip) => u32::from(ip),
        None => peer
            .octets()
            .chunks_exact(4)
            .map(|word| u32::from_be_bytes([word[0], word[1], word[2], word[3]]))
            .fold(0, |all, word| all ^ word),
    };
    let mixed = address
        .wrapping_mul(MIX_ADDRESS)
        .wrapping_add(u32::from(peer.port()))
        .wrapping_mul(MIX_PORT);
    let mixed = mixed ^ (mixed >> 16);
    mixed as usize % shards
}

impl Program {
    /// Steers by the source address and port, IPv4 and IPv6.
    #[must_use]
    pub fn by_source(shards: u32) -> Self {
        let mut instructions = Vec::with_capacity(32);
        push_by_source(&mut instructions, shards);
        Self { instructions }
    }

    /// Steers DTLS records of type `tls12_cid` by the byte of their Connection ID at `shard_offset` in the datagram
    /// (usually [`CID_SHARD_OFFSET`]), so that a session keeps its shard when the peer's address changes, and all
    /// others by source.
    #[must_use]
    pub fn by_connection_id(shards: u32, shard_offset: u32) -> Self {
        let mut instructions = vec![
            LOAD_BYTE.with(0),
            JUMP_EQUAL.to(0, 3).with(TLS12_CID),
            LOAD_BYTE.with(shard_offset),
            MODULO.with(shards),
            RETURN_A,
        ];
        push_by_source(&mut instructions, shards);
        Self { instructions }
    }

    /// The instructions, in order.
    #[must_use]
    pub fn instructions(&self) -> &[Instruction] {
        &self.instructions
    }
}

fn push_by_source(to: &mut Vec<Instruction>, shards: u32) {
    to.extend([
        LOAD_BYTE.with(NET),
        SHIFT_RIGHT.with(4),
        JUMP_EQUAL.to(5, 0).with(6),
        // IPv4: X = length of its header, options included
        LOAD_X_HEADER_LENGTH.with(NET),
        LOAD_HALF_AT_X.with(NET),
        STORE_A.with(0),
        LOAD_WORD.with(NET + 12),
        JUMP.with(12),
        // IPv6 without extension headers in front of UDP
        LOAD_HALF.with(NET + 40),
        STORE_A.with(0),
        LOAD_WORD.with(NET + 8),
        A_TO_X,
        LOAD_WORD.with(NET + 12),
        XOR_X,
        A_TO_X,
        LOAD_WORD.with(NET + 16),
        XOR_X,
        A_TO_X,
        LOAD_WORD.with(NET + 20),
        XOR_X,
        // A = address, M[0] = port
        MULTIPLY.with(MIX_ADDRESS),
        LOAD_X_MEMORY.with(0),
        ADD_X,
        MULTIPLY.with(MIX_PORT),
        A_TO_X,
        SHIFT_RIGHT.with(16),
        XOR_X,
        MODULO.with(shards),
        RETURN_A,
    ]);
}

fn attach_to(socket: &ShardSocket, program: &Program) -> io::Result<()> {
    let mut filter: Vec<libc::sock_filter> = program
        .instructions
        .iter()
        .map(|i| libc::sock_filter {
            code: i.code,
            jt: i.jump_true,
            jf: i.jump_false,
            k: i.k,
        })
        .collect();
    let length = u16::try_from(filter.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    let fprog = libc::sock_fprog {
        len: length,
        filter: filter.as_mut_ptr(),
    };
    // SAFETY: setsockopt(2) reads `optlen` bytes at `optval`: a `sock_fprog`, as socket(7) asks for
    // SO_ATTACH_REUSEPORT_CBPF. It points at `len` instructions in `filter`, alive until the call returns; the kernel
    // copies and verifies them.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_REUSEPORT_CBPF,
            (&raw const fprog).cast(),
            size_of::<libc::sock_fprog>() as libc::socklen_t,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

impl Instruction {
    const fn of(code: u32) -> Self {
        Self {
            code: code as u16,
            jump_true: 0,
            jump_false: 0,
            k: 0,
        }
    }

    const fn with(self, k: u32) -> Self {
        Self { k, ..self }
    }

    const fn to(self, jump_true: u8, jump_false: u8) -> Self {
        Self {
            jump_true,
            jump_false,
            ..self
        }
    }
}

const LOAD_BYTE: Instruction = Instruction::of(libc::BPF_LD | libc::BPF_B | libc::BPF_ABS);
const LOAD_HALF: Instruction = Instruction::of(libc::BPF_LD | libc::BPF_H | libc::BPF_ABS);
const LOAD_WORD: Instruction = Instruction::of(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS);
const LOAD_HALF_AT_X: Instruction = Instruction::of(libc::BPF_LD | libc::BPF_H | libc::BPF_IND);
const LOAD_X_HEADER_LENGTH: Instruction =
    Instruction::of(libc::BPF_LDX | libc::BPF_B | libc::BPF_MSH);
const LOAD_X_MEMORY: Instruction = Instruction::of(libc::BPF_LDX | libc::BPF_MEM);
const STORE_A: Instruction = Instruction::of(libc::BPF_ST);
const A_TO_X: Instruction = Instruction::of(libc::BPF_MISC | libc::BPF_TAX);
const XOR_X: Instruction = Instruction::of(libc::BPF_ALU | libc::BPF_XOR | libc::BPF_X);
const ADD_X: Instruction = Instruction::of(libc::BPF_ALU | libc::BPF_ADD | libc::BPF_X);
const MULTIPLY: Instruction = Instruction::of(libc::BPF_ALU | libc::BPF_MUL | libc::BPF_K);
const SHIFT_RIGHT: Instruction = Instruction::of(libc::BPF_ALU | libc::BPF_RSH | libc::BPF_K);
const MODULO: Instruction = Instruction::of(libc::BPF_ALU | libc::BPF_MOD | libc::BPF_K);
const JUMP: Instruction = Instruction::of(libc::BPF_JMP | libc::BPF_JA);
const JUMP_EQUAL: Instruction = Instruction::of(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K);
const RETURN_A: Instruction = Instruction::of(libc::BPF_RET | libc::BPF_A);

impl fmt::Display for Program {
    /// One instruction a line, in the syntax of bpfc(8).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, instruction) in self.instructions.iter().enumerate() {
            write!(f, "{at:2}: ")?;
            instruction.write(f, at)?;
            writeln!(f)?;
        }
        Ok(())
    }
}

impl Instruction {
    fn write(&self, f: &mut fmt::Formatter<'_>, at: usize) -> fmt::Result {
        let k = Operand(self.k);
        match self.without_operands() {
            LOAD_BYTE => write!(f, "ldb [{k}]"),
            LOAD_HALF => write!(f, "ldh [{k}]"),
            LOAD_WORD => write!(f, "ld [{k}]"),
            LOAD_HALF_AT_X => write!(f, "ldh [x + {k}]"),
            LOAD_X_HEADER_LENGTH => write!(f, "ldxb 4*([{k}]&0xf)"),
            LOAD_X_MEMORY => write!(f, "ldx M[{k}]"),
            STORE_A => write!(f, "st M[{k}]"),
            A_TO_X => write!(f, "tax"),
            XOR_X => write!(f, "xor x"),
            ADD_X => write!(f, "add x"),
            MULTIPLY => write!(f, "mul #{:#x}", self.k),
            SHIFT_RIGHT => write!(f, "rsh #{k}"),
            MODULO => write!(f, "mod #{k}"),
            JUMP => write!(f, "ja {}", at + 1 + self.k as usize),
            JUMP_EQUAL => {
                let (yes, no) = (
                    at + 1 + usize::from(self.jump_true),
                    at + 1 + usize::from(self.jump_false),
                );
                write!(f, "jeq #{k}, {yes}, {no}")
            }
            RETURN_A => write!(f, "ret a"),
            _ => write!(f, "{:#06x} {k}", self.code),
        }
    }

    const fn without_operands(self) -> Self {
        Self {
            jump_true: 0,
            jump_false: 0,
            k: 0,
            ..self
        }
    }
}

struct Operand(u32);

impl fmt::Display for Operand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 >= NET {
            write!(f, "net+{}", self.0 - NET)
        } else {
            write!(f, "{}", self.0)
        }
    }
}

#[cfg(test)]
mod tests;
