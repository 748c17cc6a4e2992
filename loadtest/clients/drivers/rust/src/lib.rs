//! The line protocol for drivers in Rust: words with tabs between come in, one object a line goes out. Topics and payloads of the story need no escapes.

use std::io::BufRead;
use std::thread;
use tokio::sync::mpsc::{unbounded_channel, UnboundedReceiver};

pub struct Message {
    pub topic: String,
    pub qos: u8,
    pub retain: bool,
    pub payload: String,
}

/// Where a client connects, and as whom.
pub struct Connecting {
    pub is_websocket: bool,
    pub port: u16,
    pub client_id: String,
    pub is_clean: bool,
    pub will: Option<Message>,
}

impl Connecting {
    /// The host, as rumqttc takes it: over WebSocket a whole URL.
    pub fn host(&self) -> String {
        if self.is_websocket {
            format!("ws://127.0.0.1:{}/mqtt", self.port)
        } else {
            "127.0.0.1".to_string()
        }
    }
}

pub enum Command {
    Connect(Connecting),
    Subscribe(String, u8),
    Publish(Message),
    Disconnect,
}

/// Writes one event; `fields` begin with a comma, or are nothing.
pub fn say(event: &str, fields: &str) {
    println!("{{\"event\":\"{event}\"{fields}}}");
}

pub fn refused(reason: &str) {
    say(
        "refused",
        &format!(",\"reason\":\"{}\"", reason.replace(['"', '\\', '\n'], " ")),
    );
}

pub fn show(topic: &str, payload: &[u8], qos: u8, retain: bool) {
    let payload = String::from_utf8_lossy(payload);
    say(
        "message",
        &format!(
            ",\"topic\":\"{topic}\",\"payload\":\"{payload}\",\"qos\":{qos},\"retain\":{retain}"
        ),
    );
}

fn message(words: &[&str]) -> Message {
    Message {
        topic: words[0].to_string(),
        qos: words[1].parse().unwrap(),
        retain: words[2] == "1",
        payload: words[3].to_string(),
    }
}

fn parse(line: &str) -> Command {
    let words: Vec<&str> = line.split('\t').collect();
    match words[0] {
        "connect" => Command::Connect(Connecting {
            is_websocket: words[1] == "ws",
            port: words[2].parse().unwrap(),
            client_id: words[4].to_string(),
            is_clean: words[5] == "1",
            will: (words.len() > 6).then(|| message(&words[6..])),
        }),
        "subscribe" => Command::Subscribe(words[1].to_string(), words[2].parse().unwrap()),
        "publish" => Command::Publish(message(&words[1..])),
        _ => Command::Disconnect,
    }
}

/// The commands, until nobody sends any more.
pub fn commands() -> UnboundedReceiver<Command> {
    let (sender, receiver) = unbounded_channel();
    thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            let _ = sender.send(parse(&line.unwrap()));
        }
    });
    receiver
}
