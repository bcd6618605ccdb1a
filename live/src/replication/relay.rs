//! TLS for the replication stream. The library for replication has a TLS of its own, which would
//! bring a second provider of cryptography; so it connects to a socket of this process, which only
//! this user can reach, and the bytes go on to the server by ours.

use crate::database::{host_and_port, tls};
use crate::options::DatabaseAddress;
use ring::rand::{SecureRandom, SystemRandom};
use rustls::pki_types::ServerName;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixListener, UnixStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Longest time for the library to come to the socket.
const PATIENCE: Duration = Duration::from_secs(5);
/// What asks a server for TLS: the length of the message, and a number for this purpose.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

/// A connection to the server by TLS that waits for the library.
pub struct Relay {
    folder: Folder,
    port: u16,
}

impl Relay {
    /// Connects to the server. `None` where it has no TLS and none is demanded.
    pub async fn open(address: &DatabaseAddress) -> io::Result<Option<Self>> {
        let (host, port) = host_and_port(&address.config);
        let Some(server) = connect(address, &host, port).await? else {
            return Ok(None);
        };
        let folder = Folder::new()?;
        let listener = UnixListener::bind(folder.0.join(socket(port)))?;
        // It ends with either side of the connection.
        tokio::spawn(async move {
            let client = tokio::time::timeout(PATIENCE, listener.accept()).await;
            drop(listener);
            if let Ok(Ok((client, _))) = client {
                pass_on(client, server).await;
            }
        });
        Ok(Some(Self { folder, port }))
    }

    /// Where the library connects to; gone when this is dropped.
    pub fn place(&self) -> (&Path, u16) {
        (&self.folder.0, self.port)
    }
}

/// Passes bytes on in both directions until one of the two ends. Whoever reads the stream notices
/// that it ended, and why does not matter to them.
async fn pass_on(mut client: UnixStream, server: TlsStream<TcpStream>) {
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = tokio::io::split(server);
    tokio::select! {
        _ = tokio::io::copy(&mut from_client, &mut to_server) => {}
        _ = tokio::io::copy(&mut from_server, &mut to_client) => {}
    }
    let _ = tokio::time::timeout(PATIENCE, to_server.shutdown()).await;
}

fn socket(port: u16) -> String {
    format!(".s.PGSQL.{port}")
}

async fn connect(
    address: &DatabaseAddress,
    host: &str,
    port: u16,
) -> io::Result<Option<TlsStream<TcpStream>>> {
    let mut server = TcpStream::connect((host, port)).await?;
    server.set_nodelay(true)?;
    server.write_all(&SSL_REQUEST).await?;
    // Exactly one byte: what came after it before TLS would not be the server's.
    if server.read_u8().await? != b'S' {
        return match address.encryption.is_demanded() {
            true => Err(io::Error::other("the server does not support TLS")),
            false => Ok(None),
        };
    }
    let config = tls::client_config(&address.encryption).map_err(io::Error::other)?;
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    let connector = TlsConnector::from(Arc::new(config));
    connector.connect(name, server).await.map(Some)
}

/// A folder that only this user may enter, removed with what is in it.
struct Folder(PathBuf);

impl Folder {
    fn new() -> io::Result<Self> {
        let mut number = [0; 8];
        let random = SystemRandom::new().fill(&mut number);
        random.map_err(|_| io::Error::other("the system gives no random numbers"))?;
        let name = format!("signal_hub_live.{:x}", u64::from_ne_bytes(number));
        let path = std::env::temp_dir().join(name);
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed is an empty folder for the system to clear.
        let _ = fs::remove_dir_all(&self.0);
    }
}
