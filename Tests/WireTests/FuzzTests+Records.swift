import Testing

@testable import DiscoveryCore
@testable import DiscoveryWire

/// What is accepted from another node has to be as sound as what is accepted from a client.
extension FuzzTests {
    func check(_ exchange: Exchange) {
        switch exchange {
        case .changes(let changes):
            for renewal in changes.renewals {
                checkKey(Array(changes.bytes[renewal.key.range]), 4)
                #expect(renewal.silence >= 0)
            }
            for record in changes.records { check(record) }
        case .pull, .compare, .leaves: break
        case .entries(let entries):
            for entry in entries.instances { checkKey(entry.key.packed, 4) }
            for stamp in entries.apps { checkKey(stamp.app.packed, 2) }
        }
    }

    func check(_ reply: ExchangeReply) {
        switch reply {
        case .changes(_, let records): for record in records { check(record) }
        case .page(let page):
            for record in page.records { check(record) }
            for stamp in page.stamps { checkKey(stamp.app.packed, 2) }
        case .same, .rows, .leaves: break
        case .entries(let differences):
            for key in differences.wanted { checkKey(key.packed, 4) }
            for record in differences.records { check(record) }
            for stamp in differences.stamps { checkKey(stamp.app.packed, 2) }
        }
    }

    /// `isOfReference`: how long an instance is silent need not be known.
    func check(_ record: Record, isOfReference: Bool = false) {
        checkKey(record.key.packed, 4)
        switch record.state {
        case .cancelled(let age): #expect(age >= 0)
        case .registered(let registered):
            #expect(isOfReference || registered.silence >= 0)
            let parts = registered.content.unpacked
            #expect(!parts.addrs.isEmpty)
            for field in [parts.region, parts.version] + parts.addrs { checkText(field) }
            for entry in parts.metadata {
                checkText(entry.key)
                checkText(entry.value)
            }
            let again = InstanceContent(
                region: parts.region, version: parts.version, addrs: parts.addrs,
                metadata: parts.metadata)
            #expect(again == registered.content)
        }
    }
}
