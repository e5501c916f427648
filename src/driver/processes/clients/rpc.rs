//! Asking a client over HTTP on this machine: one connection for one question.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, CONTENT_TYPE, HOST};
use hyper::{HeaderMap, Method, Request};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::driver::processes::child::{Child, Said};

/// Bytes of an answer: more than the bitfield of the largest torrent in any spelling.
const MOST: usize = 64 << 20;
/// Between two attempts to reach a client that has just been started.
const PAUSE: Duration = Duration::from_millis(20);

/// An answer, whatever its status.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Answer {
    pub(super) fn json(&self) -> Result<Value, String> {
        serde_json::from_slice(&self.body)
            .map_err(|_| format!("it answered with status {}: {:?}", self.status, self.beginning()))
    }

    /// Of a good status, or an error that shows what came instead.
    pub(super) fn good(self) -> Result<Answer, String> {
        match self.status {
            200..300 => Ok(self),
            status => Err(format!("it answered with status {status}: {:?}", self.beginning())),
        }
    }

    fn beginning(&self) -> String {
        String::from_utf8_lossy(&self.body).chars().take(200).collect()
    }
}

pub(super) async fn ask(
    method: Method,
    at: SocketAddr,
    path: &str,
    header: Option<(&str, &str)>,
    body: impl Into<Bytes>,
) -> Result<Answer, String> {
    let lost = |error: &dyn std::fmt::Display| format!("it cannot be asked at {at}: {error}");
    let stream = TcpStream::connect(at).await.map_err(|error| lost(&error))?;
    let mut request = Request::builder().method(method).uri(path).header(HOST, at.to_string());
    if let Some((name, value)) = header {
        request = request.header(name, value);
    }
    let request = request
        .header(CONTENT_TYPE, "application/json")
        .header(CONNECTION, "close")
        .body(Full::new(body.into()))
        .map_err(|error| lost(&error))?;
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(|error| lost(&error))?;
    let exchange = async {
        let response = sender.send_request(request).await.map_err(|error| lost(&error))?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = Limited::new(response.into_body(), MOST).collect().await.map_err(|error| lost(&error))?;
        Ok(Answer { status, headers, body: body.to_bytes() })
    };
    // The connection has to be driven, but its end, good or bad, shows in the exchange.
    let drive = async {
        let _ = connection.await;
        std::future::pending::<Infallible>().await
    };
    tokio::select! {
        answer = exchange => answer,
        never = drive => match never {},
    }
}

/// Returns once the process listens there, with what it has said meanwhile, or has ended; whoever waits has a limit.
pub(super) async fn wait_for(at: SocketAddr, process: &mut Child) -> Result<Vec<String>, String> {
    let mut heard = Vec::new();
    while TcpStream::connect(at).await.is_err() {
        tokio::select! {
            () = sleep(PAUSE) => {}
            said = process.next() => match said {
                Some(Said::Lines(lines)) => heard.extend(lines),
                Some(Said::Ended(_)) | None => return Err("its process ended by itself".to_owned()),
            }
        }
    }
    Ok(heard)
}
