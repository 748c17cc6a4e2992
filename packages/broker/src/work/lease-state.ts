/** Whether this worker knows that others hold it for alive. While it does not, durable sessions are refused. */
export class LeaseState {
  isHeld = true;
}
