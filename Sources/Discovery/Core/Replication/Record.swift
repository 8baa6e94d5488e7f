/// What a node knows of one instance, as it tells another: that it is there, or that it was
/// cancelled.
///
/// Records merge: the newer version wins, equal ones are settled by their bytes, and a cancel beats
/// a registration of the same version. So records may arrive late, twice and in any order.
package struct Record: Equatable, Sendable {
    package enum State: Equatable, Sendable {
        case registered(Registered)
        /// `age`: how long ago this node heard of the cancel, nanoseconds; a tombstone that is
        /// passed on lives no longer than the first.
        case cancelled(age: Int64)
    }

    package struct Registered: Equatable, Sendable {
        package var content: InstanceContent
        package var status: InstanceStatus
        /// Wall nanoseconds, as in `Instance`.
        package var registered: Int64
        package var up: Int64
        /// The application's `latest_timestamp` when this instance last changed, where that was;
        /// nil: here and now. Carried along, so that all nodes show the same of it.
        package var latest: Int64?
        /// How long ago it renewed, nanoseconds: whoever takes it over holds it no longer than this
        /// node does. A duration, because the nodes' clocks differ. Negative, of nodes of the
        /// reference: they do not know, because their clock was set back since.
        package var silence: Int64

        package init(
            content: InstanceContent, status: InstanceStatus, registered: Int64, up: Int64,
            latest: Int64? = nil, silence: Int64
        ) {
            self.content = content
            self.status = status
            self.registered = registered
            self.up = up
            self.latest = latest
            self.silence = silence
        }
    }

    package var key: InstanceKey
    /// `dirty_timestamp` of the instance, or the version of its cancel.
    package var version: Int64
    package var state: State

    package init(key: InstanceKey, version: Int64, state: State) {
        self.key = key
        self.version = version
        self.state = state
    }
}

/// An application's `latest_timestamp` on the node that tells it.
package struct AppStamp: Equatable, Sendable {
    package var app: AppKey
    package var latest: Int64
    /// Equal where the same instances are held: to others the timestamp means nothing.
    package var content: UInt64

    package init(app: AppKey, latest: Int64, content: UInt64) {
        self.app = app
        self.latest = latest
        self.content = content
    }
}
