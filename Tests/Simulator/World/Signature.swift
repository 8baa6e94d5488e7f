import DiscoveryCore

/// Requests and answers of nodes, as numbers for the digest and as words for people.
enum Signature {
    static func of(_ request: PeerRequest) -> UInt64 {
        switch request {
        case .probe: 1
        case .fetchAll: 2
        case .relay(let relay):
            Names.fold(relay.key.packed, from: UInt64(bitPattern: relay.version))
        case .set(_, let version, _): UInt64(bitPattern: version)
        case .exchange(let exchange): of(exchange)
        }
    }

    private static func of(_ exchange: Exchange) -> UInt64 {
        switch exchange {
        case .changes(let changes):
            changes.records.reduce(Names.fold(changes.bytes, from: 3)) {
                Names.fold($1.key.packed, from: $0) ^ UInt64(bitPattern: $1.version)
            }
        case .pull(let leaf): 4 &+ UInt64(leaf) &* 8
        case .compare(let print): print.instances ^ print.apps
        case .leaves(let instances, let apps):
            (instances + apps).reduce(5) { $0 &* 31 &+ UInt64($1) }
        case .entries(let entries):
            entries.instances.reduce(6) { Names.fold($1.key.packed, from: $0) ^ $1.digest }
        }
    }

    static func name(_ request: PeerRequest) -> String {
        switch request {
        case .probe: "probe"
        case .fetchAll: "fetch/all"
        case .relay(let relay):
            switch relay.write {
            case .register: "register"
            case .renew: "renew"
            case .cancel: "cancel"
            }
        case .set: "set"
        case .exchange(.changes): "changes"
        case .exchange(.pull): "pull"
        case .exchange(.compare): "compare"
        case .exchange(.leaves): "leaves"
        case .exchange(.entries): "entries"
        }
    }

    static func text(_ request: PeerRequest) -> String {
        let name = name(request)
        switch request {
        case .probe, .fetchAll: return name
        case .relay(let relay):
            return "\(name) \(Names.text(relay.key)) \(Trace.version(relay.version))"
                + (relay.isSameZone ? "" : " across zones")
        case .set(let changes, let version, let isSameZone):
            let keys = changes.map { Names.text($0.key) }.joined(separator: " ")
            return "\(name) \(keys) \(Trace.version(version))"
                + (isSameZone ? "" : " across zones")
        case .exchange(.changes(let changes)):
            let renewals = changes.renewals.map {
                Names.text(InstanceKey(packed: Array(changes.bytes[$0.key.range])))
            }
            return "\(name)\(changes.isSameZone ? "" : " across zones")"
                + (renewals.isEmpty ? "" : " renew \(renewals.joined(separator: " "));")
                + text(changes.records)
        case .exchange(.pull(let leaf)): return "\(name) from leaf \(leaf)"
        case .exchange(.compare(let print)):
            return "\(name) \(String(print.instances, radix: 16)) \(String(print.apps, radix: 16))"
        case .exchange(.leaves(let instances, let apps)): return "\(name) \(instances) \(apps)"
        case .exchange(.entries(let entries)):
            let list = entries.instances.map {
                "\(Names.text($0.key)) \(Trace.version($0.version))"
            }
            return "\(name) of \(entries.instanceLeaves) \(entries.appLeaves): "
                + list.joined(separator: ", ")
        }
    }

    static func text(_ records: [Record]) -> String {
        records.map { record in
            let verb =
                switch record.state {
                case .registered: "has"
                case .cancelled: "cancelled"
                }
            return " \(verb) \(Names.text(record.key)) \(Trace.version(record.version))"
        }.joined(separator: ",")
    }

    static func text(_ outcome: PeerReply.Outcome) -> String {
        switch outcome {
        case .failed(let sentence): return "failed, \(sentence)"
        case .unable(let sentence): return "unable, \(sentence)"
        case .refused(let sentence): return "refused, \(sentence)"
        case .forbidden(let sentence): return "forbidden, \(sentence)"
        case .answered(let code, let record):
            return "\(code)" + (record.map { text([$0]) } ?? "")
        case .all(let records, let skipped): return "\(text(records)), \(skipped) skipped"
        case .exchanged(.changes(let wanted, let newer)):
            return "wants \(wanted), newer\(text(newer))"
        case .exchanged(.page(let page)):
            return "page\(text(page.records)), next \(page.next.map(String.init) ?? "none")"
        case .exchanged(.same): return "same"
        case .exchanged(.rows): return "rows"
        case .exchanged(.leaves): return "leaves"
        case .exchanged(.entries(let found)):
            return "wants \(found.wanted.map(Names.text)),\(text(found.records)), "
                + "\(found.stamps.count) stamps"
        }
    }
}
