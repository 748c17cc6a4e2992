/** Brokers that can be attacked. */
export const brokerNames = ['dunlin', 'mosquitto'] as const;
export type BrokerName = (typeof brokerNames)[number];
