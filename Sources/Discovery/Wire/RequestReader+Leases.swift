import DiscoveryCore

/// renew and cancel: zone, env, appid and hostname are required; region is not looked at.
extension RequestReader {
    func renewal(_ batch: inout Batch) throws(Rejection) -> Renewal {
        let dirty = try fields.version(.dirty)
        return Renewal(key: try instanceKey(&batch), origin: fields.origin, dirty: dirty)
    }

    /// A cancel of a node of the reference has no version; one of ours sends `dirty_timestamp`.
    func cancellation(_ batch: inout Batch) throws(Rejection) -> Cancellation {
        let dirty = try fields.version(.dirty)
        return Cancellation(key: try instanceKey(&batch), origin: fields.origin, dirty: dirty)
    }

    private func instanceKey(_ batch: inout Batch) throws(Rejection) -> ByteRange {
        let zone = try fields.required(.zone, limits)
        let env = try fields.required(.env, limits)
        let appid = try fields.required(.appid, limits)
        let hostname = try fields.required(.hostname, limits)
        return pack([env, appid, zone, hostname], to: &batch)
    }
}
