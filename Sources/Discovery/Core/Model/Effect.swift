/// What a node wants done, in order. The caller carries it out; Core does no I/O.
package enum Effect {
    /// Answer this request. Every request gets exactly one, unless its client left.
    case answer(RequestID, Answer)
    /// Send this to another node.
    case call(PeerCall)
    /// The other nodes have been heard, or had their time: now listen, and say `announced`.
    case joined
    /// Something an operator may want to read.
    case note(Note)
}

/// The outcome of a command. Expected outcomes are values, not errors.
package enum Answer {
    /// register, cancel, set.
    case done
    case renewed(Instance, renewed: Int64)
    /// renew from a node that holds an older version: it adopts ours. Code -409.
    case conflict(Instance, renewed: Int64)
    /// renew from a node that holds a newer version: it sends a register. Code -404 with ours.
    case outdated(Instance, renewed: Int64)
    /// renew of a host unknown in a zone that the application is known in: -404 with a blank
    /// instance.
    case unknownHost
    /// renew, fetch: -404, `data` is null.
    case unknownWithData
    /// cancel: -404 without `data`.
    case unknown
    /// poll of an application that does not exist, with its name.
    case pollUnknown(AppKey)
    case fetched(AppView)
    /// fetch with a zone the application is not in: -404, no zones, its timestamp.
    case zoneUnknown(latest: Int64)
    /// Applications without an instance are left out.
    case fetchedMany([AppView])
    case fetchedAll(RegistryView)
    /// What a caller in `zone` is to use of the application's instances that take traffic.
    case balanced(AppView, zone: [UInt8])
    case polled(AppView)
    case polledMany([AppView], missing: [AppKey])
    /// -304: nothing changed while the poll was held.
    case notModified
    case nodes([NodeEntry])
    case exchanged(ExchangeReply)
    /// A code and a sentence naming what was wrong.
    case refused(Refusal, String)
}

package enum Refusal: Int, Sendable {
    /// -400: the request cannot be right.
    case invalid = -400
    /// -403: only nodes of the cluster may ask for this, and the asker is none.
    case forbidden = -403
    /// -500: reads during the protection at start.
    case protected = -500
    /// -503: over a limit, or about to stop. Clients go to another node.
    case overloaded = -503
}

/// One line of `/nodes`.
package struct NodeEntry: Equatable, Sendable {
    package var address: String
    /// 0 reachable, 1 lost.
    package var status: Int
    package var zone: String

    package init(address: String, status: Int, zone: String) {
        self.address = address
        self.status = status
        self.zone = zone
    }
}

/// Everything there is, for `fetch/all`: encoded elsewhere, because it is large. A class, so that
/// askers who get the same one can be told from its identity.
package final class RegistryView: Sendable {
    package struct Row: Sendable {
        package let instance: Instance
        package let renewed: Int64

        package init(instance: Instance, renewed: Int64) {
            self.instance = instance
            self.renewed = renewed
        }
    }

    /// Sorted by appid, then env, zone and hostname.
    package let rows: [Row]

    package init(rows: [Row]) { self.rows = rows }
}

package enum ProtectionScope: Equatable, Sendable {
    case overall
    case zone(String)
}

package enum Note: Sendable {
    case added(Instance)
    case replaced(Instance)
    case removed(InstanceKey)
    /// Its lease ran out `silence` nanoseconds after its last renewal.
    case evicted(InstanceKey, silence: Int64)
    case protectionEntered(ProtectionScope, overdue: Int, expected: Int, allowed: Int)
    case protectionLeft(ProtectionScope, overdue: Int, expected: Int, allowed: Int)
    case startupProtectionEnded
    /// The start is over: `nodes` of the seeds have told what they hold.
    case joined(nodes: Int, of: Int, instances: Int)
    /// Another node answered for the first time.
    case peerFound(String, zone: String)
    case peerLost(String, zone: String, reason: String)
    case peerRecovered(String, zone: String)
    /// Another node answers, but takes this one for none of the cluster.
    case shutOut(String, zone: String, reason: String)
    /// Its instance of `infra.discovery` is gone, and it is no seed.
    case peerForgotten(String, zone: String)
    /// A node does not take a write, whatever is tried; told at most once a minute per node.
    case relayRefused(InstanceKey, String, reason: String)
    /// More writes than `countMax` waited for a node: they are left to a comparison.
    case outboxOverflowed(String, countMax: Int)
    /// The keys in one leaf of the digest have too many bytes to be compared; told at most once a
    /// minute.
    case leafTooLarge(bytes: Int, bytesMax: Int)
    /// Instances in the answer to `fetchAll` were none by our rules; told at most once a minute.
    case recordsSkipped(String, count: Int)
    /// A version too far ahead of this node's clock; told at most once a minute.
    case versionRefused(InstanceKey, version: Int64)
    /// Another node, or this one before its restart, told something newer of this node's own
    /// instance.
    case nameContested(InstanceKey)
    /// A limit of the settings was reached; told at most once a minute per limit.
    case limitReached(String)
}
