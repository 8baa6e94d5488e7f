/// One application as one kind of reader sees it: some zones, some statuses, at one moment.
///
/// Immutable but for `attachment`. It is used by the owner of the node only, so it is not Sendable.
package final class AppView {
    package let app: AppKey
    /// Its `latest_timestamp`; goes with exactly these instances.
    package let latest: Int64
    /// Sorted by name; a zone may be empty.
    package let zones: [Zone]
    /// For `infra.discovery`, which is answered in every env: the env asked for.
    package let env: [UInt8]?
    /// Shown beside the instances.
    package let schedule: ZoneSchedule?
    /// The zone asked for; nil: all.
    let filter: [UInt8]?
    let statuses: UInt8
    /// When it was made, monotonic nanoseconds.
    let made: Int64
    package let instanceCount: Int

    /// For the encoder: the bytes it made of this view, so that they live exactly as long as it.
    package var attachment: AnyObject?

    package struct Zone {
        package let name: [UInt8]
        /// Sorted by hostname.
        package let rows: [RegistryView.Row]
    }

    init(
        app: AppKey, latest: Int64, zones: [Zone], env: [UInt8]?, schedule: ZoneSchedule?,
        filter: [UInt8]?, statuses: UInt8, made: Int64
    ) {
        self.app = app
        self.latest = latest
        self.zones = zones
        self.env = env
        self.schedule = schedule
        self.filter = filter
        self.statuses = statuses
        self.made = made
        instanceCount = zones.reduce(0) { $0 + $1.rows.count }
    }
}
