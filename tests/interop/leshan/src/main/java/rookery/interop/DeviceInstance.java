package rookery.interop;

import java.util.Date;
import java.util.Map;
import java.util.Set;

import org.eclipse.leshan.client.servers.LwM2mServer;
import org.eclipse.leshan.core.response.ReadResponse;

/** The Device object: its clock runs. */
final class DeviceInstance extends ReportingInstance {

    private static final int CURRENT_TIME = 13;

    DeviceInstance(Map<Integer, Object> values, Events events, Set<String> observed) {
        super(values, events, observed);
    }

    @Override
    protected ReadResponse value(LwM2mServer server, int resourceId) {
        return resourceId == CURRENT_TIME ? ReadResponse.success(CURRENT_TIME, new Date())
                : super.value(server, resourceId);
    }
}
