package import DiscoveryCore

/// Writes the body of an answer, byte for byte as the reference does: `code`, `message` (the code
/// again), `ttl` and, where the route has it, `data`. What is looked up by name, as polls are,
/// comes without `ttl` and in the alphabetical order of a Go map. The answer to an exchange is not
/// JSON, unless it is refused.
package enum AnswerWriter {
    private static let renewedHead = Literal<39>(#"{"code":0,"message":"0","ttl":1,"data":"#)

    static let dataHead = #"{"code":0,"message":"0","ttl":1,"data":"#
    static let missingHead = #"{"code":-404,"message":"-404","ttl":1,"data":"#

    /// `shape` is the one that the reader gave for the request.
    package static func append(
        _ answer: Answer, shape: InstancesShape = .byZone, to out: inout [UInt8]
    ) {
        switch answer {
        case .done: out.append(#"{"code":0,"message":"0","ttl":1}"#)
        case .renewed(let instance, let renewed): append(instance, renewed, to: &out)
        case .conflict(let instance, let renewed):
            out.append(#"{"code":-409,"message":"-409","ttl":1,"data":"#)
            appendAlone(instance, renewed, to: &out)
        case .outdated(let instance, let renewed):
            out.append(missingHead)
            appendAlone(instance, renewed, to: &out)
        case .unknownHost: out.append(missingHead + InstanceWriter.blank + "}")
        case .unknownWithData: out.append(missingHead + "null}")
        case .unknown: out.append(#"{"code":-404,"message":"-404","ttl":1}"#)
        case .pollUnknown(let app): appendPollUnknown(app, to: &out)
        case .fetched(let view):
            out.append(contentsOf: ViewWriter.fetchBody(view, shape))
        case .zoneUnknown(let latest): appendZoneUnknown(latest, shape, to: &out)
        case .fetchedMany(let views): ViewWriter.appendMany(views, shape, to: &out)
        case .fetchedAll(let view):
            var writer = RegistryWriter(view)
            while !writer.append(to: &out) {}
        case .balanced(let view, let zone):
            out.append(contentsOf: BalanceWriter.body(view, zone: zone))
        case .polled(let view): out.append(contentsOf: ViewWriter.fetchBody(view, .byZone))
        case .polledMany(let views, let missing):
            ViewWriter.appendPolled(views, missing, to: &out)
        case .notModified: out.append(#"{"code":-304,"message":"-304","ttl":1}"#)
        case .nodes(let nodes): append(nodes, to: &out)
        case .exchanged(let reply): ExchangeWriter.append(reply, to: &out)
        case .refused(let refusal, let message): append(refusal, message, to: &out)
        }
    }

    /// The answer that comes more often than all others together: one piece of memory, made sure of
    /// once.
    private static func append(_ instance: Instance, _ renewed: Int64, to out: inout [UInt8]) {
        let room = 40 + InstanceWriter.bound(instance, env: nil)
        out.append(addingCapacity: room) { out in
            out.write(renewedHead)
            InstanceWriter.write(instance, renewed: renewed, env: nil, to: &out)
            out.append(UInt8(ascii: "}"))
        }
    }

    private static func appendAlone(
        _ instance: Instance, _ renewed: Int64, to out: inout [UInt8]
    ) {
        out.append(addingCapacity: 1 + InstanceWriter.bound(instance, env: nil)) { out in
            InstanceWriter.write(instance, renewed: renewed, env: nil, to: &out)
            out.append(UInt8(ascii: "}"))
        }
    }

    private static func appendPollUnknown(_ app: AppKey, to out: inout [UInt8]) {
        out.append(#"{"code":-404,"message":"#)
        var sentence = Array(app.packed[app.appid.range])
        sentence.append(" not found")
        out.append(quoted: sentence.span)
        out.append("}")
    }

    private static func appendZoneUnknown(
        _ latest: Int64, _ shape: InstancesShape, to out: inout [UInt8]
    ) {
        out.append(missingHead)
        switch shape {
        case .byZone: out.append(#"{"instances":{}"#)
        case .array: out.append(#"{"instances":[],"zone_instances":{}"#)
        }
        out.append(#","latest_timestamp":"#)
        out.append(number: latest)
        out.append("}}")
    }

    private static func append(_ nodes: [NodeEntry], to out: inout [UInt8]) {
        out.append(dataHead + "[")
        for (index, node) in nodes.enumerated() {
            out.append(index == 0 ? #"{"addr":"# : #",{"addr":"#)
            out.append(quoted: node.address.utf8.span)
            out.append(#","status":"#)
            out.append(number: Int64(node.status))
            out.append(#","zone":"#)
            out.append(quoted: node.zone.utf8.span)
            out.append("}")
        }
        out.append("]}")
    }

    private static func append(_ refusal: Refusal, _ message: String, to out: inout [UInt8]) {
        out.append(#"{"code":"#)
        out.append(number: Int64(refusal.rawValue))
        out.append(#","message":"#)
        out.append(quoted: message.utf8.span)
        out.append(#","ttl":1}"#)
    }
}
