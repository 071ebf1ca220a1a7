//! Stands in for the network of a cluster, where the names of Services lead to pods: a proxy that knows what listens on
//! this machine instead.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use anyhow::{Context, Result, anyhow};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What a Service leads to, by its `host:port`.
type Routes = Arc<Mutex<BTreeMap<String, SocketAddr>>>;

/// A network, until it is dropped. It has no other hosts than those that were added.
#[derive(Debug)]
pub struct Network {
    address: SocketAddr,
    routes: Routes,
    task: JoinHandle<()>,
}

impl Network {
    /// Starts an empty one.
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let (address, routes) = (listener.local_addr()?, Routes::default());
        let known = Arc::clone(&routes);
        let task = tokio::spawn(async move {
            // A listener that fails for good is told by those who cannot connect.
            while let Ok((client, _)) = listener.accept().await {
                let known = Arc::clone(&known);
                // A connection that breaks is told by its two ends.
                tokio::spawn(async move { carry(client, &known).await.ok() });
            }
        });
        Ok(Self { address, routes, task })
    }

    /// The proxy, as `HTTPS_PROXY` names it. What is asked of `localhost` never comes here, by convention.
    pub fn proxy(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Lets a Service's `host:port` lead to an address of this machine.
    pub fn lead(&self, service: &str, to: SocketAddr) -> Result<()> {
        let mut routes = self.routes.lock().map_err(|_| anyhow!("the network panicked"))?;
        routes.insert(service.to_owned(), to);
        Ok(())
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Answers a CONNECT request (RFC 9110, 9.3.6), and carries bytes both ways from then on.
async fn carry(client: TcpStream, routes: &Routes) -> Result<()> {
    let mut client = BufReader::new(client);
    let mut request = String::new();
    while !request.ends_with("\r\n\r\n") {
        anyhow::ensure!(client.read_line(&mut request).await? > 0, "the request is cut off");
    }
    let target = request.strip_prefix("CONNECT ").and_then(|rest| rest.split(' ').next());
    let target = target.context("not a CONNECT request")?;
    let route = routes.lock().map_err(|_| anyhow!("the network panicked"))?.get(target).copied();
    let Some(route) = route else {
        return Ok(client.write_all(b"HTTP/1.1 502 Bad Gateway\r\n\r\n").await?);
    };
    let mut server = TcpStream::connect(route).await?;
    client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
    copy_bidirectional(&mut client, &mut server).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    async fn ask(network: &Network, target: &str) -> String {
        let mut stream = TcpStream::connect(network.address).await.unwrap();
        let request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\nping");
        stream.write_all(request.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn a_known_name_leads_to_its_address_and_no_other_name_does() {
        let network = Network::start().await.unwrap();
        let server = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        network.lead("echo.default:80", server.local_addr().unwrap()).unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = server.accept().await.unwrap();
            let mut said = String::new();
            stream.read_to_string(&mut said).await.unwrap();
            stream.write_all(format!("{said} back").as_bytes()).await.unwrap();
        });
        assert_eq!(ask(&network, "echo.default:80").await, "HTTP/1.1 200 OK\r\n\r\nping back");
        assert_eq!(ask(&network, "echo.default:81").await, "HTTP/1.1 502 Bad Gateway\r\n\r\n");
    }
}
