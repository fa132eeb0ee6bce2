//! What a runner's configuration lets jobs ask for.

use super::DockerExecutor;
use super::engine::DockerError;
use crate::docker_settings::Allowed;
use crate::glob::Glob;

impl DockerExecutor<'_> {
    /// Refuses what the runner's configuration does not let jobs ask for; its own default image
    /// always may be used.
    pub(super) fn check_permits(&self, image: &str) -> Result<(), DockerError> {
        let allowed = &self.config.docker.allowed;
        let own = self.config.default_image.as_deref() == Some(image);
        if !own && !allows_image(&allowed.images, image) {
            return Err(DockerError::NotAllowed {
                what: "image",
                image: image.to_owned(),
                key: "allowed_images",
                allowed: allowed.images.clone(),
            });
        }
        let options = self
            .payload
            .image
            .as_ref()
            .map(|image| &image.executor_opts);
        let user = options.and_then(|options| options.docker.as_ref()?.user.as_ref());
        let user = user.map(|user| self.variables.expand(&user.to_string()));
        if let Some(user) = user.filter(|user| !user.is_empty())
            && !allows_user(allowed, &user)
        {
            return Err(DockerError::NotAllowed {
                what: "user",
                image: user,
                key: "allowed_users",
                allowed: allowed.users.clone(),
            });
        }
        let services = &self.payload.services;
        if !allows_services(allowed, services.len()) {
            return Err(DockerError::TooManyServices {
                count: services.len(),
                limit: allowed.services_limit.unwrap_or_default(),
            });
        }
        let names = services
            .iter()
            .map(|service| self.variables.expand(&service.name));
        for name in names {
            if !allows_image(&allowed.services, &name) {
                return Err(DockerError::NotAllowed {
                    what: "service",
                    image: name,
                    key: "allowed_services",
                    allowed: allowed.services.clone(),
                });
            }
        }
        Ok(())
    }
}

/// Whether an image is among those that the list allows; an empty list allows all.
fn allows_image(list: &[String], image: &str) -> bool {
    let matches = |pattern: &String| Glob::parse(pattern).is_ok_and(|glob| glob.matches(image));
    list.is_empty() || list.iter().any(matches)
}

/// Whether a job's image may name this user.
fn allows_user(allowed: &Allowed, user: &str) -> bool {
    allowed.users.is_empty() || allowed.users.iter().any(|known| known == user)
}

/// Whether a job may have so many services.
fn allows_services(allowed: &Allowed, count: usize) -> bool {
    let limit = allowed
        .services_limit
        .and_then(|limit| usize::try_from(limit).ok());
    limit.is_none_or(|limit| count <= limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_allowed_by_globs() {
        let list = [
            "ruby:*",
            "python:3.1?",
            "**/tools/*",
            "registry.example.com/*",
        ];
        let list: Vec<String> = list.map(str::to_owned).into();
        for (image, allowed) in [
            ("ruby:3", true),
            ("ruby", false),
            ("other/ruby:3", false),
            ("python:3.12", true),
            ("python:3.1", false),
            ("registry.example.com/a:1", true),
            ("registry.example.com/a/b:1", false),
            ("registry.example.org:5000/x/tools/make:1", true),
        ] {
            assert_eq!(allows_image(&list, image), allowed, "{image}");
            assert!(allows_image(&[], image));
        }
    }

    #[test]
    fn users_and_numbers_of_services_may_be_limited() {
        let mut allowed = Allowed::default();
        assert!(allows_user(&allowed, "root") && allows_services(&allowed, 1000));
        allowed.users = vec!["app".to_owned()];
        allowed.services_limit = Some(1);
        assert!(allows_user(&allowed, "app") && !allows_user(&allowed, "root"));
        assert!(allows_services(&allowed, 1) && !allows_services(&allowed, 2));
        allowed.services_limit = Some(-1);
        assert!(allows_services(&allowed, 2));
    }
}
