/** The SharedWorker in which the one live stream of a browser lives. Its name says where the server is. */
import { Hub } from './hub'
import type { FromHub, ToHub } from './protocol'
import { server, world } from './server'

const scope = self as unknown as SharedWorkerGlobalScope
const hub = new Hub(server(scope.name), world)

scope.onconnect = (event) => {
  const port = event.ports[0]
  if (!port) return
  const hear = hub.join((message: FromHub) => port.postMessage(message))
  port.onmessage = (message: MessageEvent<ToHub>) => hear(message.data)
  port.start()
}

interface SharedWorkerGlobalScope {
  name: string
  onconnect: ((event: MessageEvent) => void) | null
}
