package import DiscoveryCore

/// What a request may hold at most. Over a limit is answered -400 with the limit and what was
/// found, never cut silently.
package struct WireLimits: Sendable {
    /// Pairs in the query and the body together, unknown ones included; empty ones cost nothing.
    package var pairsMax = 10_000
    /// Bytes of zone, env, appid and hostname: one length byte in a packed key.
    package var keyBytesMax = PackedKey.fieldBytesMax
    /// Bytes of region, version, color and each address. The longest seen in the field is an
    /// address with a query of some 200.
    package var fieldBytesMax = 1024
    package var addrsMax = 128
    package var metadataEntriesMax = NodeSettings.metadataEntriesMax
    /// Bytes of one metadata object as sent. Below the two length bytes of a packed field.
    package var metadataBytesMax = 60_000
    /// Applications in one fetchs or polls. Each is a place in a waiter.
    package var appsMax = 2_000
    /// Hosts in one set.
    package var hostsMax = 1_000
    /// A JSON body. Everything a register may hold fits into a tenth of it.
    package var jsonBytesMax = 1 << 20
    /// The answer of another node to fetch/all: some 400 bytes for an instance, so more than two
    /// million of them. Reading takes about four times as much memory.
    package var fetchAllBytesMax = 1 << 30

    package init() {}
}

/// How `instances` is written.
package enum InstancesShape: UInt8, Sendable {
    /// A map of zone to instances, as the reference writes it.
    case byZone
    /// An array, and the map as `zone_instances`: the form stock brpc reads.
    case array
}

package struct WireSettings: Sendable {
    package var limits = WireLimits()
    /// How long a poll is held without a header that shortens it, nanoseconds.
    package var pollHold = 30 * Duration.second
    /// What fetch and fetchs answer in unless the query says `format=array`. Polls always answer by
    /// zone: no client that polls reads anything else.
    package var shape = InstancesShape.byZone

    package init() {}
}

/// Why a request was not taken.
package struct Rejection: Error, Equatable, Sendable {
    package var refusal: Refusal
    /// Names the parameter and what was wrong with it.
    package var message: String

    package init(_ message: String, refusal: Refusal = .invalid) {
        self.refusal = refusal
        self.message = message
    }

    package var answer: Answer { .refused(refusal, message) }
}

/// What the caller has to know about a request besides its `Input`.
package struct ReadOutcome: Equatable, Sendable {
    /// The shape the answer is to be written in.
    package var shape: InstancesShape
}
