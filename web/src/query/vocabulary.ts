/** What can be asked of each list, until the server has told: its keys with their fixed values, as docs/query.md has them. */

export type ListName = 'guests' | 'nodes' | 'storages' | 'tasks' | 'operations' | 'remotes'

export interface Field {
  name: string
  what: string
  /** What is compared with `>` and `<`. */
  figure: boolean
  /** An example of a figure, or of a text. */
  example?: string
  /** Fixed values, or the usual ones. */
  values?: readonly string[]
}

const LINK = ['up', 'down', 'connected', 'degraded', 'connecting', 'backing_off', 'disconnected', 'credentials_rejected', 'certificate_changed']
const YES_NO = ['yes', 'no']

const text = (name: string, what: string, values?: readonly string[]): Field => ({ name, what, figure: false, values })
const figure = (name: string, what: string, example: string): Field => ({ name, what, figure: true, example })

const NAME = text('name', 'its name')
const REMOTE = text('remote', 'the remote it is on')
const LINKED = text('link', 'the link to its remote', LINK)
const NODE = text('node', 'the node it is on')
const FRESH = text('fresh', 'how sure it is', ['live', 'stale', 'never_seen'])
const AGE = figure('age', 'how long ago it was last seen', '5m')
const BEGUN = figure('age', 'how long ago it was begun', '5m')
const CPU = figure('cpu', 'use of the processors it has', '80%')
const MEM = figure('mem', 'memory in use', '4G')
const DISK = figure('disk', 'disk in use', '80%')
const UPTIME = figure('uptime', 'for how long it has been running', '1h')
const VMID = figure('vmid', 'the guest’s number', '100')
const USER = text('user', 'who began it')

export const VOCABULARY: Record<ListName, readonly Field[]> = {
  guests: [
    NAME,
    text('status', 'its state now', ['running', 'stopped', 'paused', 'suspended', 'unknown', 'node_down', 'out_of_reach', 'missing', 'deleted', 'not_visible']),
    text('type', 'container or virtual machine', ['ct', 'vm']),
    REMOTE,
    NODE,
    text('tag', 'one of its tags; "" for none'),
    text('pool', 'its pool; "" for none'),
    LINKED,
    VMID,
    CPU,
    MEM,
    DISK,
    UPTIME,
    AGE,
    FRESH,
    { ...text('ip', 'one of its addresses, or a network'), example: '10.0.0.0/24' },
    text('mac', 'one of its hardware addresses'),
    text('lock', 'what holds its lock; "" for nothing', ['backup', 'migrate', 'snapshot', 'suspended', '']),
    text('ha', 'what the HA manager says; "" for not managed', ['started', 'stopped', 'error', 'ignored', '']),
    text('template', 'whether it is a template', YES_NO),
    text('busy', 'whether an operation on it has not ended', YES_NO),
  ],
  nodes: [
    NAME,
    text('status', 'the node’s state now', ['online', 'offline', 'unknown']),
    REMOTE,
    LINKED,
    CPU,
    MEM,
    DISK,
    UPTIME,
    AGE,
    FRESH,
    text('version', 'version of Proxmox VE'),
  ],
  storages: [
    NAME,
    text('status', 'the storage’s state', ['available', 'unknown']),
    text('type', 'the storage’s plugin', ['dir', 'lvm', 'lvmthin', 'zfspool', 'nfs', 'cifs', 'rbd', 'cephfs', 'pbs']),
    REMOTE,
    NODE,
    LINKED,
    DISK,
    figure('size', 'bytes in all', '1T'),
    text('content', 'what may be kept there', ['images', 'rootdir', 'iso', 'vztmpl', 'backup', 'snippets']),
    text('shared', 'whether all nodes see the same', YES_NO),
    AGE,
    FRESH,
  ],
  tasks: [
    NAME,
    text('status', 'how the task stands', ['running', 'ok', 'warnings', 'failed', 'unknown']),
    text('type', 'the task’s type', ['vzstart', 'vzstop', 'qmstart', 'qmstop', 'vzdump']),
    REMOTE,
    NODE,
    VMID,
    USER,
    BEGUN,
    LINKED,
  ],
  operations: [
    NAME,
    text('status', 'how the operation stands', [
      'open',
      'ended',
      'pending',
      'sent',
      'running',
      'handed_to_ha',
      'succeeded',
      'succeeded_with_warnings',
      'failed',
      'cancelled',
      'not_sent',
      'outcome_unknown',
    ]),
    text('action', 'what was asked for', ['start', 'shutdown', 'stop', 'reboot', 'reset', 'suspend', 'hibernate', 'resume']),
    text('type', 'container or virtual machine', ['ct', 'vm']),
    REMOTE,
    NODE,
    VMID,
    USER,
    BEGUN,
    LINKED,
  ],
  remotes: [
    NAME,
    text('link', 'the state of its link', LINK),
    text('version', 'version of Proxmox VE'),
    text('cluster', 'the cluster’s name; "" for a stand-alone host'),
    text('cause', 'what is wrong with the link; "" for nothing', ['dns', 'refused', 'unreachable', 'connect_timeout', '']),
    text('drift', 'whether replies departed from what is documented', YES_NO),
    figure('guests', 'how many guests it has', '10'),
    figure('age', 'how long ago a request last succeeded', '5m'),
  ],
}
