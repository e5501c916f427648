//! How a connection begins: dialled from the peer's own address or accepted, and shaken hands on within ten seconds
//! of wall time.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::id::{InfoHash, PeerId};
use crate::peer::Features;
use crate::wire::handshake::{Handshake, HandshakeError, Opening, Reserved};

/// For the connect and the handshake together (libtorrent's handshake time-out).
pub const GREETING_TIMEOUT: Duration = Duration::from_secs(10);

/// Why no connection came about.
#[derive(Debug, thiserror::Error)]
pub enum GreetingError {
    #[error("no connection: {0}")]
    Io(#[from] io::Error),
    #[error("no handshake within {} s", GREETING_TIMEOUT.as_secs())]
    TooSlow,
    #[error(transparent)]
    Malformed(#[from] HandshakeError),
    #[error("the remote speaks of another torrent: {0}")]
    OtherTorrent(InfoHash),
}

/// What we say of ourselves.
#[derive(Clone, Copy, Debug)]
pub struct Introduction {
    pub info_hash: InfoHash,
    pub peer_id: PeerId,
    pub features: Features,
}

impl Introduction {
    /// Connects to `addr` from `source` (any port of it) and shakes hands.
    pub async fn dial(
        self,
        source: IpAddr,
        addr: SocketAddr,
    ) -> Result<(TcpStream, Handshake), GreetingError> {
        let greeting = async {
            let socket = if addr.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
            if source.is_ipv4() == addr.is_ipv4() {
                socket.bind(SocketAddr::new(source, 0))?;
            }
            let mut stream = socket.connect(addr).await?;
            stream.set_nodelay(true)?;
            stream.write_all(&self.handshake().encode()).await?;
            let mut bytes = [0; Handshake::LENGTH];
            stream.read_exact(&mut bytes).await?;
            let theirs = Handshake::parse(&bytes)?;
            self.check(theirs.info_hash)?;
            Ok((stream, theirs))
        };
        tokio::time::timeout(GREETING_TIMEOUT, greeting).await.unwrap_or(Err(GreetingError::TooSlow))
    }

    /// Answers somebody who connected to us, once it is clear that it speaks of our torrent.
    pub async fn answer(self, mut stream: TcpStream) -> Result<(TcpStream, Handshake), GreetingError> {
        let greeting = async {
            stream.set_nodelay(true)?;
            let mut bytes = [0; Handshake::LENGTH];
            let (opening, peer_id) = bytes.split_at_mut(Opening::LENGTH);
            stream.read_exact(opening).await?;
            let opening = opening.first_chunk().expect("the array was split at this length");
            self.check(Opening::parse(opening)?.info_hash)?;
            stream.write_all(&self.handshake().encode()).await?;
            stream.read_exact(peer_id).await?;
            let theirs = Handshake::parse(&bytes)?;
            Ok((stream, theirs))
        };
        tokio::time::timeout(GREETING_TIMEOUT, greeting).await.unwrap_or(Err(GreetingError::TooSlow))
    }

    /// What both ends have announced.
    pub fn in_common(self, theirs: Reserved) -> Features {
        let ours = self.features;
        Features { fast: ours.fast && theirs.fast(), extended: ours.extended && theirs.extended() }
    }

    fn handshake(self) -> Handshake {
        let reserved = Reserved::announcing(self.features.fast, self.features.extended);
        Handshake { reserved, info_hash: self.info_hash, peer_id: self.peer_id }
    }

    fn check(self, theirs: InfoHash) -> Result<(), GreetingError> {
        if theirs == self.info_hash { Ok(()) } else { Err(GreetingError::OtherTorrent(theirs)) }
    }
}
