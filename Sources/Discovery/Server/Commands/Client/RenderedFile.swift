internal import DiscoveryWire
import Glibc

/// A file made of a template and the instances of apps, replaced as a whole and only when its text
/// is another.
struct RenderedFile {
    private let template: Template
    private let path: String
    private let command: String?
    private let zone: String?
    private let scheme: String
    private let pause: UInt32
    /// The command is still to be run.
    private var isCommandDue = false

    /// Nil if the command is to print instead.
    init?(_ watch: WatchCommand, _ zone: String?) throws(CommandFailure) {
        guard let source = watch.template, let path = watch.output else { return nil }
        do throws(TextFileError) {
            template = try Template(
                TextFile.read(source, bytesMax: Template.bytesMax), apps: watch.apps)
        } catch {
            throw .broken("\(source): \(error)")
        }
        if let problem = template.problem { throw .broken("\(source): \(problem)") }
        self.path = path
        command = watch.exec
        self.zone = zone
        scheme = watch.scheme
        pause = UInt32(clamping: max(0, watch.pause))
    }

    mutating func render(_ follower: AppFollower, _ caller: NodeCaller, _ env: String) {
        // Half of what the template is about is not worth a file.
        guard follower.apps.allSatisfy({ $0.data != .null }) else { return }
        var rows: [String: [Template.Row]] = [:]
        for app in follower.apps { rows[app.name] = self.rows(app.name, app.data, caller, env) }
        let text = template.text(rows)
        if !holds(text) {
            guard replace(text) else { return }
            isCommandDue = command != nil
        }
        if isCommandDue, let command {
            let status = ChildProgram.shell(command)
            isCommandDue = status != 0
            if isCommandDue {
                StandardStream.error.write(line: "\(command): ended with \(status)")
            }
        }
        usleep(pause * 1000)
    }

    /// With the final weights for the caller's zone, where the node calculates them.
    private func rows(
        _ app: String, _ data: JSONTree, _ caller: NodeCaller, _ env: String
    ) -> [Template.Row] {
        var instances: [JSONTree] = []
        if let zone {
            do throws(CommandFailure) {
                instances = try caller.get(
                    .balance, [("env", env), ("appid", app), ("zone", zone)]
                ).data["instances"].items
            } catch {
                instances = []
            }
        }
        // Nodes of the reference do not know balance.
        if instances.isEmpty { instances = data["instances"].members.flatMap(\.value.items) }
        return instances.compactMap { Template.Row(app: app, $0, scheme: scheme) }
    }

    private func holds(_ text: String) -> Bool {
        do throws(TextFileError) {
            return try TextFile.read(path, bytesMax: .max) == text
        } catch {
            // It is not there yet, or will be complained of when it is written.
            return false
        }
    }

    /// By renaming: whoever reads sees the one or the other.
    private func replace(_ text: String) -> Bool {
        let aside = "\(path).\(getpid()).tmp"
        let file = unsafe open(aside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard file >= 0 else { return complain(aside) }
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes { unsafe write(file, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            if count <= 0 { break }
            rest = rest.dropFirst(count)
        }
        let isWritten = rest.isEmpty && fsync(file) == 0
        close(file)
        guard isWritten, unsafe rename(aside, path) == 0 else {
            _ = complain(path)
            unsafe unlink(aside)
            return false
        }
        return true
    }

    private func complain(_ path: String) -> Bool {
        StandardStream.error.write(
            line: "\(path): cannot be written: \(TextFileError.lastOfSystem)")
        return false
    }
}
