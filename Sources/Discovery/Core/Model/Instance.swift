/// Whether an instance takes traffic. The raw values are the wire's.
package enum InstanceStatus: UInt8, Sendable {
    case up = 1
    case waiting = 2

    /// Its bit in the mask a fetch asks with.
    package var mask: UInt8 { rawValue }
}

/// One registered provider. Immutable: a write replaces it whole, so it may be read anywhere.
///
/// The time of the last renewal is not part of it, because renewals are the one thing that must not
/// allocate; it lives beside it in the registry.
package final class Instance: Sendable {
    package let key: InstanceKey
    package let content: InstanceContent
    package let status: InstanceStatus
    /// When it was registered last, wall nanoseconds.
    package let registered: Int64
    /// When it took traffic first, or last began to by `set`, wall nanoseconds.
    package let up: Int64
    /// The version of the instance: grows with every write, wall nanoseconds.
    package let dirty: Int64
    /// Its application's `latest_timestamp` at the last change of content.
    package let latest: Int64
    /// Of key, version, status and content: what nodes compare to find out whether they hold the
    /// same.
    package let digest: UInt64

    package init(
        key: InstanceKey, content: InstanceContent, status: InstanceStatus, registered: Int64,
        up: Int64, dirty: Int64, latest: Int64
    ) {
        self.key = key
        self.content = content
        self.status = status
        self.registered = registered
        self.up = up
        self.dirty = dirty
        self.latest = latest
        let version = UInt64(bitPattern: dirty) &<< 2 | UInt64(status.rawValue)
        digest = ByteHash.join(
            ByteHash.join(ByteHash.common.wide(key.packed.span), version),
            ByteHash.common.wide(content.packed.span))
    }

    /// Whether a consumer would see a difference, timestamps aside.
    package func holdsSame(_ content: InstanceContent, _ status: InstanceStatus) -> Bool {
        self.status == status && self.content == content
    }

    /// Settles two writes with the same version: any fixed order does, as long as every node uses
    /// the same one.
    package func yields(to content: InstanceContent, _ status: InstanceStatus) -> Bool {
        if self.content == content { return self.status.rawValue < status.rawValue }
        return self.content.packed.precedes(content.packed)
    }
}
