// The line protocol for drivers in JavaScript: words with tabs between come in, one object a line goes out.
import { createInterface } from 'node:readline';

/** Writes one event. */
export function say(event, fields = {}) {
  process.stdout.write(`${JSON.stringify({ event, ...fields })}\n`);
}

/** Calls a handler for each command; `connect` gets an object, the others their words. */
export function listen(handlers) {
  createInterface({ input: process.stdin })
    .on('line', (line) => {
      const [command, ...words] = line.split('\t');
      if (command !== 'connect') return void handlers[command](...words);
      const [transport, port, level, clientId, clean, ...will] = words;
      const [topic, qos, retain, payload] = will;
      handlers.connect({
        transport,
        port: Number(port),
        level: Number(level),
        clientId,
        isClean: clean === '1',
        will: will.length === 0 ? null : { topic, qos: Number(qos), retain: retain === '1', payload },
      });
    })
    .on('close', () => process.exit(0));
}
