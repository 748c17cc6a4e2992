//! rumqttc, MQTT 3.1.1

use client_drivers::{commands, refused, say, show, Command, Connecting};
use rumqttc::{
    qos, AsyncClient, Event, EventLoop, LastWill, MqttOptions, Outgoing, Packet,
    SubscribeReasonCode, Transport,
};
use tokio::sync::mpsc::{unbounded_channel, UnboundedReceiver, UnboundedSender};

fn options(place: Connecting) -> MqttOptions {
    let mut options = MqttOptions::new(&place.client_id, place.host(), place.port);
    options.set_clean_session(place.is_clean);
    if place.is_websocket {
        options.set_transport(Transport::Ws);
    }
    if let Some(will) = place.will {
        options.set_last_will(LastWill::new(
            will.topic,
            will.payload,
            qos(will.qos).unwrap(),
            will.retain,
        ));
    }
    options
}

fn show_event(event: Event) {
    match event {
        Event::Incoming(Packet::ConnAck(connack)) => say(
            "connected",
            &format!(",\"session\":{}", connack.session_present),
        ),
        Event::Incoming(Packet::SubAck(suback)) => match suback.return_codes[0] {
            SubscribeReasonCode::Success(granted) => {
                say("subscribed", &format!(",\"granted\":{}", granted as u8))
            }
            SubscribeReasonCode::Failure => say("subscribed", ",\"granted\":128"),
        },
        Event::Incoming(Packet::Publish(m)) => show(&m.topic, &m.payload, m.qos as u8, m.retain),
        Event::Incoming(Packet::PubAck(_) | Packet::PubComp(_)) => say("published", ""),
        Event::Outgoing(Outgoing::Publish(0)) => say("published", ""),
        _ => {}
    }
}

/// Polls while it is connected; comes back when it is told where.
async fn run(mut events: EventLoop, mut places: UnboundedReceiver<Connecting>) {
    loop {
        let mut is_connected = false;
        let mut is_leaving = false;
        let error = loop {
            match events.poll().await {
                Ok(event) => {
                    is_connected = true;
                    is_leaving = is_leaving || event == Event::Outgoing(Outgoing::Disconnect);
                    show_event(event);
                }
                Err(error) => break error,
            }
        };
        match (is_connected, is_leaving) {
            (_, true) => say("disconnected", ""),
            (true, false) => say("lost", ""),
            (false, false) => refused(&error.to_string()),
        }
        match places.recv().await {
            Some(place) => events.mqtt_options = options(place),
            None => return,
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    say(
        "features",
        ",\"levels\":[4],\"transports\":[\"tcp\",\"ws\"]",
    );
    let mut commands = commands();
    let mut running: Option<(AsyncClient, UnboundedSender<Connecting>)> = None;
    while let Some(command) = commands.recv().await {
        match (command, &running) {
            (Command::Connect(place), Some((_, places))) => places.send(place).unwrap(),
            (Command::Connect(place), None) => {
                let (client, events) = AsyncClient::new(options(place), 100);
                let (sender, places) = unbounded_channel();
                tokio::spawn(run(events, places));
                running = Some((client, sender));
            }
            (Command::Subscribe(filter, level), Some((client, _))) => {
                client.subscribe(filter, qos(level).unwrap()).await.unwrap()
            }
            (Command::Publish(m), Some((client, _))) => client
                .publish(m.topic, qos(m.qos).unwrap(), m.retain, m.payload)
                .await
                .unwrap(),
            (Command::Disconnect, Some((client, _))) => client.disconnect().await.unwrap(),
            (_, None) => panic!("connect comes first"),
        }
    }
}
