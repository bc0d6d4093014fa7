-- The system collections as defined in projections/system/definitions. Later changes are migrations of their own;
-- tests/system compares the result with the definitions. Indexes that only speed things up cover two columns, since one on
-- a single column would show as `is_indexed` in the answers of /fields.

create table acta.directus_access (
    id uuid not null,
    role uuid,
    "user" uuid,
    policy uuid not null,
    sort integer,
    constraint directus_access_pkey primary key (id)
);

create table acta.directus_collections (
    collection varchar(64) not null,
    icon varchar(64),
    archive_field varchar(64),
    sort_field varchar(64),
    note text,
    display_template varchar(255),
    archive_value varchar(255),
    unarchive_value varchar(255),
    color varchar(255),
    preview_url varchar(255),
    hidden boolean not null default false,
    singleton boolean not null default false,
    versioning boolean not null default false,
    translations json,
    item_duplication_fields json,
    archive_app_filter boolean not null default true,
    accountability varchar(255) default 'all',
    sort integer,
    "group" varchar(64),
    collapse varchar(255) not null default 'open',
    constraint directus_collections_pkey primary key (collection)
);

create table acta.directus_comments (
    id uuid not null,
    collection varchar(64) not null,
    item varchar(255) not null,
    comment text not null,
    date_created timestamptz default current_timestamp,
    date_updated timestamptz default current_timestamp,
    user_created uuid,
    user_updated uuid,
    constraint directus_comments_pkey primary key (id)
);

create table acta.directus_fields (
    id serial,
    collection varchar(64) not null,
    field varchar(64) not null,
    special varchar(64),
    interface varchar(64),
    display varchar(64),
    options json,
    display_options json,
    translations json,
    conditions json,
    validation json,
    readonly boolean not null default false,
    hidden boolean not null default false,
    sort integer,
    width varchar(30) default 'full',
    note text,
    validation_message text,
    required boolean default false,
    "group" varchar(64),
    searchable boolean not null default true,
    constraint directus_fields_pkey primary key (id)
);

create table acta.directus_files (
    id uuid not null,
    storage varchar(255) not null,
    filename_download varchar(255) not null,
    filename_disk varchar(255),
    title varchar(255),
    type varchar(255),
    folder uuid,
    uploaded_by uuid,
    created_on timestamptz not null default current_timestamp,
    modified_by uuid,
    modified_on timestamptz not null default current_timestamp,
    charset varchar(50),
    filesize bigint,
    width integer,
    height integer,
    duration integer,
    focal_point_x integer,
    focal_point_y integer,
    embed varchar(200),
    description text,
    location text,
    tags text,
    metadata json,
    tus_data json,
    tus_id varchar(64),
    uploaded_on timestamptz,
    constraint directus_files_pkey primary key (id)
);

create table acta.directus_folders (
    id uuid not null,
    name varchar(255) not null,
    parent uuid,
    constraint directus_folders_pkey primary key (id)
);

create table acta.directus_migrations (
    version varchar(255) not null,
    name varchar(255) not null,
    timestamp timestamptz default current_timestamp,
    constraint directus_migrations_pkey primary key (version)
);

create table acta.directus_permissions (
    id serial,
    collection varchar(64) not null,
    action varchar(10) not null,
    permissions json,
    validation json,
    presets json,
    fields text,
    policy uuid not null,
    constraint directus_permissions_pkey primary key (id)
);

create table acta.directus_policies (
    id uuid not null,
    name varchar(100) not null,
    icon varchar(64) not null default 'badge',
    description text,
    ip_access text,
    enforce_tfa boolean not null default false,
    admin_access boolean not null default false,
    app_access boolean not null default false,
    constraint directus_policies_pkey primary key (id)
);

create table acta.directus_presets (
    id serial,
    bookmark varchar(255),
    color varchar(255),
    "user" uuid,
    role uuid,
    collection varchar(64),
    search varchar(100),
    layout varchar(100) default 'tabular',
    layout_query json,
    layout_options json,
    filter json,
    refresh_interval integer,
    icon varchar(64) default 'bookmark',
    constraint directus_presets_pkey primary key (id)
);

create table acta.directus_relations (
    id serial,
    many_collection varchar(64) not null,
    many_field varchar(64) not null,
    one_collection varchar(64),
    one_field varchar(64),
    one_collection_field varchar(64),
    junction_field varchar(64),
    sort_field varchar(64),
    one_allowed_collections text,
    one_deselect_action varchar(255) not null default 'nullify',
    constraint directus_relations_pkey primary key (id)
);

create table acta.directus_roles (
    id uuid not null,
    name varchar(100) not null,
    icon varchar(64) not null default 'supervised_user_circle',
    description text,
    parent uuid,
    constraint directus_roles_pkey primary key (id)
);

create table acta.directus_sessions (
    token varchar(64) not null,
    "user" uuid,
    expires timestamptz not null,
    ip varchar(255),
    origin varchar(255),
    user_agent text,
    share uuid,
    next_token varchar(64),
    constraint directus_sessions_pkey primary key (token)
);

create table acta.directus_settings (
    id serial,
    project_name varchar(100) not null default 'Directus',
    project_url varchar(255),
    mapbox_key varchar(255),
    default_theme_light varchar(255),
    default_theme_dark varchar(255),
    report_error_url varchar(255),
    report_bug_url varchar(255),
    report_feature_url varchar(255),
    mcp_prompts_collection varchar(255),
    project_owner varchar(255),
    project_usage varchar(255),
    org_name varchar(255),
    project_status varchar(255),
    project_color varchar(255) not null default '#6644FF',
    project_logo uuid,
    public_foreground uuid,
    public_background uuid,
    public_favicon uuid,
    public_note text,
    custom_css text,
    mcp_system_prompt text,
    ai_system_prompt text,
    ai_openai_compatible_base_url text,
    ai_openai_compatible_name text,
    auth_login_attempts integer default 25,
    auth_password_policy varchar(100),
    project_descriptor varchar(100),
    storage_asset_transform varchar(7) default 'all',
    storage_asset_presets json,
    basemaps json,
    module_bar json,
    custom_aspect_ratios json,
    theme_light_overrides json,
    theme_dark_overrides json,
    public_registration_email_filter json,
    visual_editor_urls json,
    ai_openai_compatible_models json,
    ai_openai_compatible_headers json,
    ai_openai_allowed_models json,
    ai_anthropic_allowed_models json,
    ai_google_allowed_models json,
    storage_default_folder uuid,
    default_language varchar(255) not null default 'en-US',
    default_appearance varchar(255) not null default 'auto',
    public_registration boolean not null default false,
    mcp_enabled boolean not null default false,
    mcp_allow_deletes boolean not null default false,
    collaborative_editing_enabled boolean not null default false,
    public_registration_verify_email boolean not null default true,
    mcp_system_prompt_enabled boolean not null default true,
    public_registration_role uuid,
    project_id uuid,
    product_updates boolean,
    ai_openai_api_key text,
    ai_anthropic_api_key text,
    ai_google_api_key text,
    ai_openai_compatible_api_key text,
    constraint directus_settings_pkey primary key (id)
);

create table acta.directus_users (
    id uuid not null,
    first_name varchar(50),
    last_name varchar(50),
    title varchar(50),
    email varchar(128),
    password varchar(255),
    location varchar(255),
    language varchar(255),
    last_page varchar(255),
    appearance varchar(255),
    theme_dark varchar(255),
    theme_light varchar(255),
    description text,
    tags json,
    theme_light_overrides json,
    theme_dark_overrides json,
    avatar uuid,
    tfa_secret varchar(255),
    status varchar(16) not null default 'active',
    role uuid,
    token varchar(255),
    last_access timestamptz,
    provider varchar(128) not null default 'default',
    external_identifier varchar(255),
    auth_data json,
    email_notifications boolean default true,
    text_direction varchar(255) not null default 'auto',
    constraint directus_users_pkey primary key (id),
    constraint directus_users_email_unique unique (email),
    constraint directus_users_token_unique unique (token),
    constraint directus_users_external_identifier_unique unique (external_identifier)
);

create table acta.directus_dashboards (
    id uuid not null,
    name varchar(255) not null,
    icon varchar(64) not null default 'dashboard',
    note text,
    date_created timestamptz default current_timestamp,
    user_created uuid,
    color varchar(255),
    constraint directus_dashboards_pkey primary key (id)
);

create table acta.directus_panels (
    id uuid not null,
    dashboard uuid not null,
    name varchar(255),
    icon varchar(64),
    color varchar(10),
    show_header boolean not null default false,
    note text,
    type varchar(255) not null,
    position_x integer not null,
    position_y integer not null,
    width integer not null,
    height integer not null,
    options json,
    date_created timestamptz default current_timestamp,
    user_created uuid,
    constraint directus_panels_pkey primary key (id)
);

create table acta.directus_notifications (
    id serial,
    timestamp timestamptz default current_timestamp,
    status varchar(255) default 'inbox',
    recipient uuid not null,
    sender uuid,
    subject varchar(255) not null,
    message text,
    collection varchar(64),
    item varchar(255),
    constraint directus_notifications_pkey primary key (id)
);

create table acta.directus_shares (
    id uuid not null,
    name varchar(255),
    collection varchar(64) not null,
    item varchar(255) not null,
    role uuid,
    password varchar(255),
    user_created uuid,
    date_created timestamptz default current_timestamp,
    date_start timestamptz,
    date_end timestamptz,
    times_used integer default 0,
    max_uses integer,
    constraint directus_shares_pkey primary key (id)
);

create table acta.directus_flows (
    id uuid not null,
    name varchar(255) not null,
    icon varchar(64),
    color varchar(255),
    trigger varchar(255),
    description text,
    status varchar(255) not null default 'active',
    accountability varchar(255) default 'all',
    options json,
    operation uuid,
    date_created timestamptz default current_timestamp,
    user_created uuid,
    constraint directus_flows_pkey primary key (id),
    constraint directus_flows_operation_unique unique (operation)
);

create table acta.directus_operations (
    id uuid not null,
    name varchar(255),
    key varchar(255) not null,
    type varchar(255) not null,
    position_x integer not null,
    position_y integer not null,
    options json,
    resolve uuid,
    reject uuid,
    flow uuid not null,
    date_created timestamptz default current_timestamp,
    user_created uuid,
    constraint directus_operations_pkey primary key (id),
    constraint directus_operations_resolve_unique unique (resolve),
    constraint directus_operations_reject_unique unique (reject)
);

create table acta.directus_translations (
    id uuid not null,
    language varchar(255) not null,
    key varchar(255) not null,
    value text not null,
    constraint directus_translations_pkey primary key (id)
);

create table acta.directus_versions (
    id uuid not null,
    key varchar(64) not null,
    name varchar(255),
    hash varchar(255),
    collection varchar(64) not null,
    item varchar(255) not null,
    date_created timestamptz default current_timestamp,
    date_updated timestamptz default current_timestamp,
    user_created uuid,
    user_updated uuid,
    delta json,
    constraint directus_versions_pkey primary key (id)
);

create table acta.directus_extensions (
    id uuid not null,
    enabled boolean not null default true,
    folder varchar(255) not null,
    source varchar(255) not null,
    bundle uuid,
    constraint directus_extensions_pkey primary key (id)
);

create table acta.directus_deployments (
    id uuid not null,
    provider varchar(255) not null,
    credentials text,
    options text,
    date_created timestamptz default current_timestamp,
    user_created uuid,
    webhook_ids json,
    webhook_secret varchar(255),
    last_synced_at timestamptz,
    constraint directus_deployments_pkey primary key (id),
    constraint directus_deployments_provider_unique unique (provider)
);

create table acta.directus_deployment_projects (
    id uuid not null,
    deployment uuid not null,
    external_id varchar(255) not null,
    name varchar(255) not null,
    date_created timestamptz default current_timestamp,
    user_created uuid,
    url varchar(255),
    framework varchar(255),
    deployable boolean not null default true,
    constraint directus_deployment_projects_pkey primary key (id)
);

create table acta.directus_deployment_runs (
    id uuid not null,
    project uuid not null,
    external_id varchar(255) not null,
    target varchar(255) not null,
    date_created timestamptz default current_timestamp,
    user_created uuid,
    status varchar(255),
    url varchar(255),
    started_at timestamptz,
    completed_at timestamptz,
    constraint directus_deployment_runs_pkey primary key (id)
);

create table acta.directus_webhooks (
    id serial,
    name varchar(255) not null,
    method varchar(10) not null default 'POST',
    url text not null,
    status varchar(10) not null default 'active',
    data boolean not null default true,
    actions text not null,
    collections text not null,
    headers json,
    secret varchar(255),
    filter json,
    constraint directus_webhooks_pkey primary key (id)
);

alter table acta.directus_access
    add constraint directus_access_role_foreign foreign key (role)
        references acta.directus_roles (id) on delete cascade,
    add constraint directus_access_user_foreign foreign key ("user")
        references acta.directus_users (id) on delete cascade,
    add constraint directus_access_policy_foreign foreign key (policy)
        references acta.directus_policies (id) on delete cascade;

alter table acta.directus_collections
    add constraint directus_collections_group_foreign foreign key ("group")
        references acta.directus_collections (collection);

alter table acta.directus_comments
    add constraint directus_comments_user_created_foreign foreign key (user_created)
        references acta.directus_users (id) on delete set null,
    add constraint directus_comments_user_updated_foreign foreign key (user_updated)
        references acta.directus_users (id);

alter table acta.directus_files
    add constraint directus_files_folder_foreign foreign key (folder)
        references acta.directus_folders (id) on delete set null,
    add constraint directus_files_uploaded_by_foreign foreign key (uploaded_by)
        references acta.directus_users (id),
    add constraint directus_files_modified_by_foreign foreign key (modified_by)
        references acta.directus_users (id);

alter table acta.directus_folders
    add constraint directus_folders_parent_foreign foreign key (parent)
        references acta.directus_folders (id);

alter table acta.directus_permissions
    add constraint directus_permissions_policy_foreign foreign key (policy)
        references acta.directus_policies (id) on delete cascade;

alter table acta.directus_presets
    add constraint directus_presets_user_foreign foreign key ("user")
        references acta.directus_users (id) on delete cascade,
    add constraint directus_presets_role_foreign foreign key (role)
        references acta.directus_roles (id) on delete cascade;

alter table acta.directus_roles
    add constraint directus_roles_parent_foreign foreign key (parent)
        references acta.directus_roles (id);

alter table acta.directus_sessions
    add constraint directus_sessions_user_foreign foreign key ("user")
        references acta.directus_users (id) on delete cascade,
    add constraint directus_sessions_share_foreign foreign key (share)
        references acta.directus_shares (id) on delete cascade;

alter table acta.directus_settings
    add constraint directus_settings_project_logo_foreign foreign key (project_logo)
        references acta.directus_files (id),
    add constraint directus_settings_public_foreground_foreign foreign key (public_foreground)
        references acta.directus_files (id),
    add constraint directus_settings_public_background_foreign foreign key (public_background)
        references acta.directus_files (id),
    add constraint directus_settings_public_favicon_foreign foreign key (public_favicon)
        references acta.directus_files (id),
    add constraint directus_settings_storage_default_folder_foreign foreign key (storage_default_folder)
        references acta.directus_folders (id) on delete set null,
    add constraint directus_settings_public_registration_role_foreign foreign key (public_registration_role)
        references acta.directus_roles (id) on delete set null;

alter table acta.directus_users
    add constraint directus_users_role_foreign foreign key (role)
        references acta.directus_roles (id) on delete set null;

alter table acta.directus_dashboards
    add constraint directus_dashboards_user_created_foreign foreign key (user_created)
        references acta.directus_users (id) on delete set null;

alter table acta.directus_panels
    add constraint directus_panels_dashboard_foreign foreign key (dashboard)
        references acta.directus_dashboards (id) on delete cascade,
    add constraint directus_panels_user_created_foreign foreign key (user_created)
        references acta.directus_users (id) on delete set null;

alter table acta.directus_notifications
    add constraint directus_notifications_recipient_foreign foreign key (recipient)
        references acta.directus_users (id) on delete cascade,
    add constraint directus_notifications_sender_foreign foreign key (sender)
        references acta.directus_users (id);

alter table acta.directus_shares
    add constraint directus_shares_collection_foreign foreign key (collection)
        references acta.directus_collections (collection) on delete cascade,
    add constraint directus_shares_role_foreign foreign key (role)
        references acta.directus_roles (id) on delete cascade,
    add constraint directus_shares_user_created_foreign foreign key (user_created)
        references acta.directus_users (id) on delete set null;

alter table acta.directus_flows
    add constraint directus_flows_user_created_foreign foreign key (user_created)
        references acta.directus_users (id) on delete set null;

alter table acta.directus_operations
    add constraint directus_operations_resolve_foreign foreign key (resolve)
        references acta.directus_operations (id),
    add constraint directus_operations_reject_foreign foreign key (reject)
        references acta.directus_operations (id),
    add constraint directus_operations_flow_foreign foreign key (flow)
        references acta.directus_flows (id) on delete cascade,
    add constraint directus_operations_user_created_foreign foreign key (user_created)
        references acta.directus_users (id) on delete set null;

alter table acta.directus_versions
    add constraint directus_versions_collection_foreign foreign key (collection)
        references acta.directus_collections (collection) on delete cascade,
    add constraint directus_versions_user_created_foreign foreign key (user_created)
        references acta.directus_users (id) on delete set null,
    add constraint directus_versions_user_updated_foreign foreign key (user_updated)
        references acta.directus_users (id);

alter table acta.directus_deployments
    add constraint directus_deployments_user_created_foreign foreign key (user_created)
        references acta.directus_users (id) on delete set null;

alter table acta.directus_deployment_projects
    add constraint directus_deployment_projects_deployment_foreign foreign key (deployment)
        references acta.directus_deployments (id) on delete cascade,
    add constraint directus_deployment_projects_user_created_foreign foreign key (user_created)
        references acta.directus_users (id) on delete set null;

alter table acta.directus_deployment_runs
    add constraint directus_deployment_runs_project_foreign foreign key (project)
        references acta.directus_deployment_projects (id) on delete cascade,
    add constraint directus_deployment_runs_user_created_foreign foreign key (user_created)
        references acta.directus_users (id) on delete set null;

-- Races that the interface checks for beforehand.
create unique index directus_fields_name on acta.directus_fields (collection, field);
create unique index directus_relations_name on acta.directus_relations (many_collection, many_field);
create unique index directus_translations_name on acta.directus_translations (key, language);
create unique index directus_versions_name on acta.directus_versions (collection, item, key);

-- What rights, sign-in and cascades look up.
create index directus_access_by_user on acta.directus_access ("user", policy);
create index directus_access_by_role on acta.directus_access (role, policy);
create index directus_access_by_policy on acta.directus_access (policy, id);
create index directus_permissions_by_policy on acta.directus_permissions (policy, collection);
create index directus_sessions_by_user on acta.directus_sessions ("user", expires);
create index directus_sessions_by_share on acta.directus_sessions (share, expires);
create index directus_users_by_role on acta.directus_users (role, id);
create index directus_presets_by_user on acta.directus_presets ("user", collection);
create index directus_presets_by_role on acta.directus_presets (role, collection);
create index directus_notifications_by_recipient on acta.directus_notifications (recipient, id);
create index directus_comments_by_item on acta.directus_comments (collection, item);
create index directus_shares_by_item on acta.directus_shares (collection, item);
create index directus_files_by_folder on acta.directus_files (folder, id);
create index directus_files_by_uploader on acta.directus_files (uploaded_by, id);
create index directus_folders_by_parent on acta.directus_folders (parent, id);
create index directus_panels_by_dashboard on acta.directus_panels (dashboard, id);
create index directus_operations_by_flow on acta.directus_operations (flow, id);
create index directus_collections_by_group on acta.directus_collections ("group", collection);
