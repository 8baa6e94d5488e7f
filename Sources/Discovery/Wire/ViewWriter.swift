package import DiscoveryCore

/// Writes views of applications: the fragments and what is composed of them.
package enum ViewWriter {
    /// `{"instances":…,"scheduler":…,"latest_timestamp":T}`, the part of one application in every
    /// answer.
    package static func appendFragment(
        of view: AppView, shape: InstancesShape, to out: inout [UInt8]
    ) {
        switch shape {
        case .byZone: out.append(#"{"instances":"#)
        case .array:
            out.append(#"{"instances":["#)
            var isFirst = true
            for zone in view.zones {
                append(zone.rows, view.env, &isFirst, to: &out)
            }
            out.append(#"],"zone_instances":"#)
        }
        appendZones(of: view, to: &out)
        if let schedule = view.schedule {
            out.append(#","scheduler":"#)
            out.append(contentsOf: schedule.encoded)
        }
        out.append(#","latest_timestamp":"#)
        out.append(number: view.latest)
        out.append("}")
    }

    private static func appendZones(of view: AppView, to out: inout [UInt8]) {
        out.append("{")
        for (index, zone) in view.zones.enumerated() {
            if index > 0 { out.append(",") }
            out.append(quoted: zone.name.span)
            out.append(":[")
            var isFirst = true
            append(zone.rows, view.env, &isFirst, to: &out)
            out.append("]")
        }
        out.append("}")
    }

    private static func append(
        _ rows: [RegistryView.Row], _ env: [UInt8]?, _ isFirst: inout Bool, to out: inout [UInt8]
    ) {
        for row in rows {
            let isSeparated = !isFirst
            isFirst = false
            out.append(addingCapacity: 1 + InstanceWriter.bound(row.instance, env: env)) { out in
                if isSeparated { out.append(UInt8(ascii: ",")) }
                InstanceWriter.write(row.instance, renewed: row.renewed, env: env, to: &out)
            }
        }
    }

    /// The whole answer of fetch and poll for one application.
    package static func fetchBody(_ view: AppView, _ shape: InstancesShape) -> [UInt8] {
        var body: [UInt8] = []
        body.append(AnswerWriter.dataHead)
        appendFragment(of: view, shape: shape, to: &body)
        body.append("}")
        return body
    }

    /// The whole answer of polls with news of one application and none missing.
    package static func pollsBody(_ view: AppView) -> [UInt8] {
        var body: [UInt8] = []
        body.append(#"{"code":0,"data":{"#)
        body.append(quoted: view.app.appid, of: view.app.packed)
        body.append(":")
        appendFragment(of: view, shape: .byZone, to: &body)
        body.append("}")
        appendPolledEnd([], to: &body)
        return body
    }

    /// fetchs: the applications there are, by name.
    static func appendMany(
        _ views: [AppView], _ shape: InstancesShape, to out: inout [UInt8]
    ) {
        out.append(AnswerWriter.dataHead)
        appendMap(views, shape, to: &out)
        out.append("}")
    }

    /// polls: the applications with news, and the names of those there are not.
    static func appendPolled(_ views: [AppView], _ missing: [AppKey], to out: inout [UInt8]) {
        if missing.isEmpty, views.count == 1 {
            out.append(contentsOf: pollsBody(views[0]))
            return
        }
        out.append(#"{"code":0,"data":"#)
        appendMap(views, .byZone, to: &out)
        appendPolledEnd(missing, to: &out)
    }

    fileprivate static func appendPolledEnd(_ missing: [AppKey], to out: inout [UInt8]) {
        out.append(#","error":{"-404":"#)
        if missing.isEmpty {
            out.append("null")
        } else {
            for (index, app) in missing.enumerated() {
                out.append(index == 0 ? "[" : ",")
                out.append(quoted: app.appid, of: app.packed)
            }
            out.append("]")
        }
        out.append(#"},"message":"0"}"#)
    }

    /// Sorted by appid, as Go writes maps.
    private static func appendMap(
        _ views: [AppView], _ shape: InstancesShape, to out: inout [UInt8]
    ) {
        var isFirst = true
        out.append("{")
        for view in sorted(views) {
            if !isFirst { out.append(",") }
            isFirst = false
            appendMember(view, shape, to: &out)
        }
        out.append("}")
    }

    fileprivate static func appendMember(
        _ view: AppView, _ shape: InstancesShape, to out: inout [UInt8]
    ) {
        out.append(quoted: view.app.appid, of: view.app.packed)
        out.append(":")
        out.append(contentsOf: view.encoding.fragment(shape, view))
    }

    private static func sorted(_ views: [AppView]) -> [AppView] {
        if views.count < 2 { return views }
        return views.sorted { left, right in
            let one = left.app.packed[left.app.appid.range]
            return one.lexicographicallyPrecedes(right.app.packed[right.app.appid.range])
        }
    }
}

/// The fragments made of one view, each once, when first asked for. Hangs on `AppView.attachment`,
/// so it lives as long as the view and is used by the owner of the node only.
package final class ViewEncoding {
    private var fragments: InlineArray<2, [UInt8]?> = [nil, nil]
    /// For the caller, as `AppView.attachment` is for this.
    package var attachment: AnyObject?

    package func fragment(_ shape: InstancesShape, _ view: AppView) -> [UInt8] {
        let index = Int(shape.rawValue)
        if let fragment = fragments[index] { return fragment }
        var fragment: [UInt8] = []
        ViewWriter.appendFragment(of: view, shape: shape, to: &fragment)
        fragments[index] = fragment
        return fragment
    }
}

extension AppView {
    /// What was made of this view; made now if nothing was.
    package var encoding: ViewEncoding {
        if let encoding = attachment as? ViewEncoding { return encoding }
        let encoding = ViewEncoding()
        attachment = encoding
        return encoding
    }
}
