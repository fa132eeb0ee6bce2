//! What a personal access token may be used for, by GitLab's names.

/// One scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Everything that the user may.
    Api,
    /// Everything that the user may read.
    ReadApi,
    /// The user's own data.
    ReadUser,
    /// Clone and fetch.
    ReadRepository,
    /// Push as well.
    WriteRepository,
    /// Create runners.
    CreateRunner,
    /// Change runners.
    ManageRunner,
    /// Make this token anew.
    SelfRotate,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 8] = [
        Self::Api,
        Self::ReadApi,
        Self::ReadUser,
        Self::ReadRepository,
        Self::WriteRepository,
        Self::CreateRunner,
        Self::ManageRunner,
        Self::SelfRotate,
    ];

    /// GitLab's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::ReadApi => "read_api",
            Self::ReadUser => "read_user",
            Self::ReadRepository => "read_repository",
            Self::WriteRepository => "write_repository",
            Self::CreateRunner => "create_runner",
            Self::ManageRunner => "manage_runner",
            Self::SelfRotate => "self_rotate",
        }
    }

    /// The scope of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == name)
    }
}

/// The scopes of one token.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scopes(Vec<Scope>);

impl Scopes {
    /// These scopes.
    pub fn of(scopes: impl Into<Vec<Scope>>) -> Self {
        Self(scopes.into())
    }

    /// From the column. Names that this version does not know allow nothing.
    pub fn from_column(json: &str) -> Self {
        let names: Vec<String> = serde_json::from_str(json).unwrap_or_default();
        Self(names.iter().filter_map(|name| Scope::parse(name)).collect())
    }

    /// For the column: a JSON list of names.
    pub fn to_column(&self) -> String {
        serde_json::Value::from(self.names()).to_string()
    }

    /// Their names.
    pub fn names(&self) -> Vec<&'static str> {
        self.0.iter().map(|scope| scope.as_str()).collect()
    }

    /// Whether one of these is among them; `api` stands for all.
    pub fn has_any(&self, wanted: &[Scope]) -> bool {
        self.0
            .iter()
            .any(|scope| *scope == Scope::Api || wanted.contains(scope))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns() {
        let scopes = Scopes::of([Scope::ReadApi, Scope::WriteRepository]);
        assert_eq!(scopes.to_column(), r#"["read_api","write_repository"]"#);
        assert_eq!(Scopes::from_column(&scopes.to_column()), scopes);
        for nothing in ["", "{}", "[]", r#"["unheard_of"]"#] {
            assert_eq!(Scopes::from_column(nothing), Scopes::default(), "{nothing}");
        }
    }

    #[test]
    fn api_stands_for_all() {
        for scope in Scope::ALL {
            assert!(Scopes::of([Scope::Api]).has_any(&[scope]));
            assert!(Scopes::of([scope]).has_any(&[scope]));
            assert!(!Scopes::default().has_any(&[scope]));
        }
        assert!(!Scopes::of([Scope::ReadApi]).has_any(&[Scope::Api]));
    }
}
