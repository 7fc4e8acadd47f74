import FuzzProperties

/// The targets by name.
package enum FuzzTargets {
    /// Every target there is.
    package static var all: [any FuzzProperty.Type] {
        [
            LinksProperty.self, ReportProperty.self, TokenProperty.self, ProxyProperty.self,
            SpoolProperty.self, ForwardedProperty.self, RequestProperty.self, AgentProperty.self,
            DeskProperty.self,
        ]
    }

    /// The target of a name; nil if there is none.
    package static func named(_ name: String) -> (any FuzzProperty.Type)? {
        all.first { $0.name == name }
    }
}
