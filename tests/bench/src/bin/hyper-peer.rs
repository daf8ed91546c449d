//! `hyper-peer`: hyper on tokio's single-threaded runtime, a task for each connection, answering
//! with the same bytes whatever was asked.

use std::convert::Infallible;
use std::net::SocketAddr;

use bytes::Bytes;
use calendarbot_bench::{Result, answer};
use http_body_util::Full;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

fn main() -> Result<()> {
    let (address, body_bytes) = answer::arguments()?;
    let body = Bytes::from(answer::body(body_bytes));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(serve(address, body))
}

async fn serve(address: SocketAddr, body: Bytes) -> Result<()> {
    let fields: HeaderMap = answer::FIELDS
        .map(|(name, value)| {
            let name: HeaderName = name.to_ascii_lowercase().parse().expect("a name");
            (name, HeaderValue::from_static(value))
        })
        .into_iter()
        .collect();
    let listener = TcpListener::bind(address).await?;
    loop {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        let (body, fields) = (body.clone(), fields.clone());
        let answer = service_fn(move |_: Request<hyper::body::Incoming>| {
            let mut response = Response::new(Full::new(body.clone()));
            response.headers_mut().clone_from(&fields);
            async move { Ok::<_, Infallible>(response) }
        });
        // A connection that fails is the load's to count.
        tokio::spawn(async move {
            let _ = http1::Builder::new().serve_connection(TokioIo::new(socket), answer).await;
        });
    }
}
