/** Aedes over plain TCP, for the comparison.    node aedes-broker.ts PORT */
import net from 'node:net';
import { Aedes } from 'aedes';

const aedes = await Aedes.createBroker();
net.createServer(aedes.handle).listen(Number(process.argv[2]), '127.0.0.1');
